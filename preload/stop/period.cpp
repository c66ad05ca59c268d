// Checkpoints at intervals, by a POSIX timer of the kernel that libc does not know of. It is not saved with the
// program's timers; after a restart it is made anew.
//
// Every member has one, and one member, the keeper, answers its ticks: the first process at first. Whoever finds at a tick of its
// own that the keeper has ended, by whatever, is the keeper from then on.
#include "preload/stop/period.h"

#include <signal.h>
#include <time.h>

#include "image/base/clock.h"
#include "image/base/procfs.h"
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

bool keeps_period() {
  if (!state.job || state.member < 0) return true;
  auto self = static_cast<uint32_t>(state.member);
  uint32_t* keeper = &state.job->settings.keeper;
  uint32_t now = __atomic_load_n(keeper, __ATOMIC_ACQUIRE);
  if (now == self) return true;
  const Member& m = state.job->members[now % kMaxMembers];
  if (m.pid > 0 && is_process_alive(m.pid, m.start)) return false;
  return __atomic_compare_exchange_n(keeper, &now, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

}  // namespace mig
