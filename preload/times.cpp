// Clocks that never go back and CPU time that goes on, over restarts.
//
// The program's monotonic clock is the kernel's plus a shift that a restart sets so that the clock goes on from the
// checkpoint: what was to happen in five seconds still happens in five seconds, on whatever host.
#include "preload/times.h"

#include <errno.h>

#include "image/base/clock.h"
#include "image/base/futex.h"
#include "preload/ids.h"
#include "preload/start.h"
#include "preload/state.h"

namespace mig {

uint32_t clock_epoch = 0;
int64_t monotonic_shift = 0, boottime_shift = 0;

namespace {

struct CpuTimes {
  int64_t user, system, child_user, child_system;
};

ProcessRecord noted;
CpuTimes earlier;                                 ///< used in earlier generations
int64_t monotonic_step, boottime_step, cpu_step;  ///< by the last restart

int64_t by_clock(long clock, int64_t monotonic, int64_t boottime, int64_t cpu) {
  switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE: return monotonic;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: return boottime;
    case CLOCK_PROCESS_CPUTIME_ID: return cpu;
    default: return 0;
  }
}

constexpr long kPerThread = 4;            ///< bit of a CPU-time clock's number
constexpr int64_t kTick = kSecond / 100;  ///< of times(2)

/// CPU-time clocks: of the process, of the calling thread. What another thread had used before is not known here.
int64_t cpu_shift(long clock) {
  if (clock == CLOCK_THREAD_CPUTIME_ID) return earlier_thread_time;
  if (!is_task_clock(clock)) return 0;
  int32_t task = clock_task(clock);
  if (clock & kPerThread) return !task || task == own_tid() ? earlier_thread_time : 0;
  return !task || task == own_pid() ? earlier.user + earlier.system : 0;
}

void add(timeval& t, int64_t ns) {
  int64_t microseconds = t.tv_usec + ns / 1000;
  t.tv_sec += microseconds / 1000000;
  t.tv_usec = microseconds % 1000000;
}

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

ClocksRecord note_clocks() {
  noted.monotonic = clock_now(CLOCK_MONOTONIC) + monotonic_shift;
  noted.boottime = clock_now(CLOCK_BOOTTIME) + boottime_shift;
  return {noted.monotonic, noted.boottime};
}

int64_t earlier_cpu_time() {
  return earlier.user + earlier.system;
}

int64_t clock_shift(long clock) {
  if (clock < 0 || clock == CLOCK_THREAD_CPUTIME_ID) return cpu_shift(clock);
  return by_clock(clock, monotonic_shift, boottime_shift, earlier.user + earlier.system);
}

int64_t clock_step(long clock) {
  return by_clock(clock, monotonic_step, boottime_step, cpu_step);
}

long get_clock(long clock, timespec* time) {
  for (;;) {
    uint32_t epoch = load(&clock_epoch);
    long r = sys(__NR_clock_gettime, real_clock(clock), time);
    int64_t shift = clock_shift(clock);
    if (epoch != load(&clock_epoch)) continue;
    if (r == 0 && shift) *time = to_timespec(nanoseconds(*time) + shift);
    return r;
  }
}

long get_usage(int who, rusage* usage) {
  long r = sys(__NR_getrusage, who, usage);
  if (r < 0) return r;
  if (who == RUSAGE_SELF) add(usage->ru_utime, earlier.user), add(usage->ru_stime, earlier.system);
  if (who == RUSAGE_CHILDREN) add(usage->ru_utime, earlier.child_user), add(usage->ru_stime, earlier.child_system);
  if (who == RUSAGE_THREAD) add(usage->ru_utime, earlier_thread_time);
  return r;
}

long get_times(tms* times) {
  long r = sys(__NR_times, times);
  if (times && r != -EFAULT) {
    times->tms_utime += earlier.user / kTick, times->tms_stime += earlier.system / kTick;
    times->tms_cutime += earlier.child_user / kTick, times->tms_cstime += earlier.child_system / kTick;
  }
  return r == -EFAULT ? r : r + monotonic_shift / kTick;
}

MIG_START void forget_times() {
  if (earlier.user | earlier.system | earlier.child_user | earlier.child_system) earlier = {};
  if (earlier_thread_time) earlier_thread_time = 0;
}

void continue_times() {
  store(&clock_epoch, clock_epoch + 1);
  int64_t monotonic = noted.monotonic - state.resume.monotonic, boottime = noted.boottime - state.resume.boottime;
  monotonic_step = monotonic - monotonic_shift, boottime_step = boottime - boottime_shift;
  cpu_step = noted.user_time + noted.system_time - earlier.user - earlier.system;
  monotonic_shift = monotonic, boottime_shift = boottime;
  earlier = {noted.user_time, noted.system_time, noted.child_user_time, noted.child_system_time};
}

}  // namespace mig
