// Checkpoints at intervals, by a POSIX timer of the kernel that libc does not know of. It is not saved with the
// program's timers; after a restart it is made anew.
#include "preload/period.h"

#include <signal.h>
#include <time.h>

#include "image/base/clock.h"
#include "preload/start.h"
#include "preload/state.h"

namespace mig {

MIG_START void start_period() {
  state.period_timer = -1;
  if (state.period <= 0) return;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = state.signal;
  itimerspec every{to_timespec(state.period), to_timespec(state.period)};
  int32_t id = -1;
  if (sys(__NR_timer_create, CLOCK_MONOTONIC, &event, &id) < 0) return;
  state.period_timer = id;
  sys(__NR_timer_settime, id, 0, &every, nullptr);
}

}  // namespace mig
