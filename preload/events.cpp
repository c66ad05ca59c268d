// eventfd, timerfd, signalfd, pidfd: all that they are stands in /proc/self/fdinfo.
#include "preload/events.h"
#include "preload/offspring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "image/base/clock.h"

namespace mig {
namespace {

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

}  // namespace

bool save_eventfd(Saving& saving, OpenDescription& d) {
  auto count = fdinfo_value(d.fd, "eventfd-count:");
  if (!count) return unsupported(d, "this kernel does not show the count of an eventfd");
  d.record.value[0] = Scan(count).hex();
  if (owns(d)) d.record.value[1] = is_semaphore(d.fd, d.record.value[0]);
  return saving.write(d, DescriptionKind::kEventfd);
}

bool save_timerfd(Saving& saving, OpenDescription& d) {
  itimerspec now{};
  sys(__NR_timerfd_gettime, d.fd, &now);  // makes the kernel count the ticks of a timer that has fired
  auto clock = fdinfo_value(d.fd, "clockid:");
  if (!clock) return unsupported(d, "this kernel does not show the state of a timerfd");
  uint64_t* value = d.record.value;
  value[0] = static_cast<uint64_t>(Scan(clock).number());
  if (auto v = fdinfo_value(d.fd, "ticks:")) value[1] = static_cast<uint64_t>(Scan(v).number());
  if (auto v = fdinfo_value(d.fd, "settime flags:")) value[2] = Scan(v).octal();
  if (auto v = fdinfo_value(d.fd, "it_value:")) value[3] = static_cast<uint64_t>(pair_of(v));
  if (auto v = fdinfo_value(d.fd, "it_interval:")) value[4] = static_cast<uint64_t>(pair_of(v));
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
