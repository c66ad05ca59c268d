// eventfd, timerfd, signalfd, pidfd: all that they are stands in /proc/self/fdinfo.
#include "preload/save/events.h"
#include "preload/job/offspring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "image/base/clock.h"

namespace mig {
namespace {

constexpr int kFewestLooks = 3, kMostLooks = 50;

/// What follows `name` in the fdinfo, or nullptr. Valid until the next call.
const char* fdinfo_value(int fd, const char* name) {
  static char value[256];
  bool found = false;
  each_fdinfo_line(fd, [&](const char* line) {
    if (!text_starts(line, name)) return true;
    text_copy(value, line + text_length(name), sizeof value);
    found = true;
    return false;
  });
  return found ? value : nullptr;
}

bool has_input(int fd) {
  pollfd p{fd, POLLIN, 0};
  sys(__NR_poll, &p, 1, 0);
  return p.revents & POLLIN;
}

bool add_to_eventfd(int fd, uint64_t n) {
  return sys(__NR_write, fd, &n, sizeof n) == sizeof n;
}

/// Kernels before 6.5 do not show semaphore mode: it is seen by taking a count out and putting it back.
bool is_semaphore(int fd, uint64_t count) {
  if (auto v = fdinfo_value(fd, "eventfd-semaphore:")) return Scan(v).number() != 0;
  uint64_t taken = 0;
  if (count < 2 && !add_to_eventfd(fd, 2)) return false;
  if (!has_input(fd) || sys(__NR_read, fd, &taken, sizeof taken) != sizeof taken) return false;
  bool semaphore = taken == 1;
  if (count >= 2) add_to_eventfd(fd, taken);
  else if (semaphore) sys(__NR_read, fd, &taken, sizeof taken);
  else if (count) add_to_eventfd(fd, count);
  return semaphore;
}

int64_t pair_of(const char* v) {
  Scan scan(v);
  int64_t seconds = scan.after('(').number();
  return seconds * kSecond + scan.skip(',').number();
}

struct Timer {
  uint64_t clock = 0, ticks = 0, flags = 0;
  int64_t remaining = 0, interval = 0;  ///< ns; nothing remains: it is not set
  bool shown = false;
};

Timer look_at_timer(int fd) {
  Timer t;
  each_fdinfo_line(fd, [&](const char* line) {
    auto after = [&](const char* name) { return text_starts(line, name) ? line + text_length(name) : nullptr; };
    if (auto v = after("clockid:")) t.clock = static_cast<uint64_t>(Scan(v).number()), t.shown = true;
    else if (auto w = after("ticks:")) t.ticks = static_cast<uint64_t>(Scan(w).number());
    else if (auto x = after("settime flags:")) t.flags = Scan(x).octal();
    else if (auto y = after("it_value:")) t.remaining = pair_of(y);
    else if (auto z = after("it_interval:")) t.interval = pair_of(z);
    return true;
  });
  return t;
}

/// The kernel counts the ticks of a timer that has fired, and sets it anew, in timerfd_gettime only. One that fires after that, or is
/// due and has not fired yet, shows the same zeros as one that is not set; but setting a timer takes its ticks away.
bool settled_timer(int fd, Timer& t) {
  bool armed = false;
  for (int attempt = 0; attempt < kMostLooks; ++attempt) {
    itimerspec now{};
    sys(__NR_timerfd_gettime, fd, &now);
    t = look_at_timer(fd);
    if (!t.shown) return false;
    if (t.remaining) return true;
    bool fired_meanwhile = now.it_value.tv_sec || now.it_value.tv_nsec;
    armed |= fired_meanwhile || (t.ticks && t.interval);
    bool may_settle = t.interval ? armed || attempt < kFewestLooks : fired_meanwhile || (!t.ticks && attempt < kFewestLooks);
    if (!may_settle) break;
  }
  if (armed && (t.interval || !t.ticks)) t.remaining = 1;
  return true;
}

}  // namespace

bool save_eventfd(Saving& saving, OpenDescription& d) {
  auto count = fdinfo_value(d.fd, "eventfd-count:");
  if (!count) return unsupported(d, "this kernel does not show the count of an eventfd");
  d.record.value[0] = Scan(count).hex();
  if (owns(d)) d.record.value[1] = is_semaphore(d.fd, d.record.value[0]);
  return saving.write(d, DescriptionKind::kEventfd);
}

bool save_timerfd(Saving& saving, OpenDescription& d) {
  Timer timer;
  if (!settled_timer(d.fd, timer)) return unsupported(d, "this kernel does not show the state of a timerfd");
  uint64_t* value = d.record.value;
  value[0] = timer.clock, value[1] = timer.ticks, value[2] = timer.flags;
  value[3] = static_cast<uint64_t>(timer.remaining), value[4] = static_cast<uint64_t>(timer.interval);
  bool real = value[0] == CLOCK_REALTIME || value[0] == CLOCK_REALTIME_ALARM;
  if (real && value[3]) value[5] = static_cast<uint64_t>(clock_now(CLOCK_REALTIME)) + value[3];
  return saving.write(d, DescriptionKind::kTimerfd);
}

bool save_signalfd(Saving& saving, OpenDescription& d) {
  auto mask = fdinfo_value(d.fd, "sigmask:");
  if (!mask) return unsupported(d, "this kernel does not show the mask of a signalfd");
  d.record.value[0] = Scan(mask).hex();
  return saving.write(d, DescriptionKind::kSignalfd);
}

bool save_pidfd(Saving& saving, OpenDescription& d) {
  auto pid = fdinfo_value(d.fd, "Pid:");
  auto real = pid ? static_cast<int32_t>(Scan(pid).number()) : 0;
  if (!real) return unsupported(d, "this kernel does not show whose pidfd it is");
  bool gone = real < 0;
  if (!gone && !is_of_job(real)) return unsupported(d, "a pidfd of a process or thread that is not one of the job's processes");
  d.record.value[0] = gone ? 0 : static_cast<uint64_t>(virtual_id(real));
  return saving.write(d, DescriptionKind::kPidfd);
}

}  // namespace mig
