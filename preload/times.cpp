// Clocks that never go back and CPU time that goes on, over restarts.
//
// The program's monotonic clock is the kernel's plus a shift that a restart sets so that the clock goes on from the
// checkpoint: what was to happen in five seconds still happens in five seconds, on whatever host.
#include "preload/times.h"

#include <sys/resource.h>
#include <time.h>

#include "image/base/clock.h"

namespace mig {

int64_t monotonic_shift = 0, boottime_shift = 0;

namespace {

struct CpuTimes {
  int64_t user, system, child_user, child_system;
};

ProcessRecord noted;
CpuTimes earlier;  ///< used in earlier generations

int64_t nanoseconds(const timeval& t) {
  return t.tv_sec * kSecond + t.tv_usec * 1000;
}

}  // namespace

void save_times(ProcessRecord& p) {
  rusage self{}, children{};
  sys(__NR_getrusage, RUSAGE_SELF, &self);
  sys(__NR_getrusage, RUSAGE_CHILDREN, &children);
  p.realtime = clock_now(CLOCK_REALTIME);
  p.monotonic = clock_now(CLOCK_MONOTONIC) + monotonic_shift;
  p.boottime = clock_now(CLOCK_BOOTTIME) + boottime_shift;
  p.user_time = earlier.user + nanoseconds(self.ru_utime);
  p.system_time = earlier.system + nanoseconds(self.ru_stime);
  p.child_user_time = earlier.child_user + nanoseconds(children.ru_utime);
  p.child_system_time = earlier.child_system + nanoseconds(children.ru_stime);
  noted = p;
}

int64_t earlier_cpu_time() {
  return earlier.user + earlier.system;
}

void continue_times() {
  monotonic_shift = noted.monotonic - clock_now(CLOCK_MONOTONIC);
  boottime_shift = noted.boottime - clock_now(CLOCK_BOOTTIME);
  earlier = {noted.user_time, noted.system_time, noted.child_user_time, noted.child_system_time};
}

}  // namespace mig
