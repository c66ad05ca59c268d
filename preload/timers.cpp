// Interval timers and POSIX timers.
#include "preload/timers.h"

#include <sys/time.h>

#include <initializer_list>

#include "image/base/clock.h"

namespace mig {
namespace {

int64_t nanoseconds(const timeval& t) {
  return t.tv_sec * kSecond + t.tv_usec * 1000;
}

bool save_interval_timers(ImageWriter& writer) {
  for (uint32_t which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval t{};
    if (sys(__NR_getitimer, which, &t) < 0 || (!t.it_value.tv_sec && !t.it_value.tv_usec)) continue;
    IntervalTimerRecord r{which, 0, nanoseconds(t.it_value), nanoseconds(t.it_interval)};
    if (!writer.record(RecordType::kIntervalTimer, r)) return false;
  }
  return true;
}

}  // namespace

bool save_timers(ImageWriter& writer) {
  return save_interval_timers(writer);
}

}  // namespace mig
