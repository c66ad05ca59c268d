// eventfd, timerfd, signalfd, epoll.
//
// A timerfd goes on with the time that remained. One that is set to a time of day keeps that time. Ticks not yet read: the
// kernel takes their number back (TFD_IOC_SET_TICKS) if it was built with CHECKPOINT_RESTORE; else the timer is set
// to a time so far in the past that the kernel counts as many.
#include "restore/events.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include "image/base/clock.h"
#include "restore/failure.h"

namespace mig {
namespace {

constexpr unsigned long kSetTicks = 0x40085400;  // TFD_IOC_SET_TICKS

long set_timer(int fd, int flags, int64_t value, int64_t interval) {
  itimerspec t{to_timespec(interval), to_timespec(value)};
  return sys(__NR_timerfd_settime, fd, flags, &t, nullptr);
}

long set_past(int fd, int clock, uint64_t ticks, int64_t remaining, int64_t interval) {
  int64_t now = clock_now(clock);
  int64_t first = interval ? now + remaining - static_cast<int64_t>(ticks) * interval : now - 1;
  return set_timer(fd, TFD_TIMER_ABSTIME, first > 0 ? first : 1, interval);
}

}  // namespace

void open_eventfd(PreparedDescription& p) {
  set_descriptor(p, sys(__NR_eventfd2, 0, O_NONBLOCK | (p.record.value[1] ? 1 : 0)));
  uint64_t count = p.record.value[0];
  if (count) sys(__NR_write, p.fd, &count, sizeof count);
}

void open_timerfd(PreparedDescription& p) {
  set_descriptor(p, sys(__NR_timerfd_create, p.record.value[0], 0));
}

void finish_timerfd(PreparedDescription& p) {
  const uint64_t* v = p.record.value;
  auto clock = static_cast<int>(v[0]);
  uint64_t ticks = v[1];
  auto flags = static_cast<int>(v[2]);
  auto remaining = static_cast<int64_t>(v[3]), interval = static_cast<int64_t>(v[4]);
  long r;
  if (v[5] && (flags & TFD_TIMER_ABSTIME)) r = set_timer(p.fd, flags, static_cast<int64_t>(v[5]), interval);
  else r = set_timer(p.fd, 0, remaining, interval);
  if (r >= 0 && ticks && sys(__NR_ioctl, p.fd, kSetTicks, &ticks) < 0) r = set_past(p.fd, clock, ticks, remaining, interval);
  if (r < 0) give_up(Error::kResourceFailed, "a timerfd", "set", r);
}

void open_signalfd(PreparedDescription& p) {
  set_descriptor(p, sys(__NR_signalfd4, -1, &p.record.value[0], 8, 0));
}

void open_epoll(PreparedDescription& p) {
  set_descriptor(p, sys(__NR_epoll_create1, 0));
}

}  // namespace mig
