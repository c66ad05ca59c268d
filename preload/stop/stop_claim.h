// A stretch of the program's own in which no stop may begin in this process: it takes the place of one.
#pragma once
#include "image/base/futex.h"
#include "preload/state.h"

namespace mig {

/// Waits until the stop that is under way is over. False: this very thread leads it, for one of the program's functions that the
/// library calls (preload/api.h).
inline bool claim_stop() {
  for (uint32_t now = kRunning;
       !__atomic_compare_exchange_n(&state.stop, &now, kExecuting, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE); now = kRunning) {
    if (now == kStopping && state.leader_tid == sys(__NR_gettid)) return false;
    sys(__NR_sched_yield);
  }
  return true;
}
inline void give_stop_back() {
  store(&state.stop, kRunning);
}

class ScopedStopClaim {
 public:
  ScopedStopClaim() : claimed_(claim_stop()) {}
  ~ScopedStopClaim() {
    if (claimed_) give_stop_back();
  }
  ScopedStopClaim(const ScopedStopClaim&) = delete;
  ScopedStopClaim& operator=(const ScopedStopClaim&) = delete;

 private:
  bool claimed_;
};

}  // namespace mig
