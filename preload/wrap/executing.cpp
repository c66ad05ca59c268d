// The moment in which the process becomes another program: no handler of ours is there to take a request.
//
// No stop may begin in a process whose other threads are about to vanish, so an exec takes the place of one (kExecuting).
// MIG_SIGNAL and the stop signal are blocked: what is sent now stays pending, and the new program takes it once its
// handlers are there. Other threads may still take a request while they exist: they note it in the entry. The
// library's constructor in the new program, or the exec that failed, opens all this again.
//
// A program that the loader will not load the library into is no member: the entry is given back first, and its signals
// are left as they are.
//
// A child of vfork has no entry and no stop of its own; it is not touched, nor its parent's state.
#include "preload/wrap/executing.h"

#include "preload/ids.h"
#include "preload/job/job.h"
#include "preload/start.h"
#include "preload/stop/stop.h"
#include "preload/stop/stop_claim.h"
#include "preload/wrap/hidden_signal.h"

namespace mig {
namespace {

uint32_t* own_flags() {
  return &state.job->members[state.member].flags;
}

uint64_t request_signals() {
  return hidden_bit | uint64_t{1} << (kStopSignal - 1);
}

}  // namespace

/// In a child of vfork the program is not even looked at.
MIG_START Executing::Executing(int directory, const char* path, int flags) : target_(ExecTarget::kNone) {
  if (!state.active || !state.job || state.member < 0 || !is_own_process()) return;
  target_ = exec_target(directory, path, flags);
  if (target_ == ExecTarget::kNone) return;
  claimed_ = claim_stop();
  if (target_ == ExecTarget::kUncovered) {
    leave_job();
    return;
  }
  uint64_t blocked = request_signals();
  sys(__NR_rt_sigprocmask, SIG_BLOCK, &blocked, &mask_, 8);
  __atomic_fetch_or(own_flags(), kMemberExecuting, __ATOMIC_ACQ_REL);
}

MIG_START Executing::~Executing() {
  if (target_ == ExecTarget::kNone) return;
  if (claimed_) give_stop_back();
  if (target_ == ExecTarget::kUncovered) {
    return_to_job();
    return;
  }
  uint32_t flags = __atomic_fetch_and(own_flags(), ~(kMemberExecuting | kMemberAsked), __ATOMIC_ACQ_REL);
  uint64_t open = request_signals() & ~mask_;
  sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &open, nullptr, 8);
  if (flags & kMemberAsked) ask_again(state.job->members[state.member].asked);
}

void ask_after_exec(const siginfo_t* info) {
  if (!state.job || state.member < 0) return;
  state.job->members[state.member].asked = info->si_code == SI_USER ? 0 : info->si_value.sival_int;
  __atomic_fetch_or(own_flags(), kMemberAsked, __ATOMIC_ACQ_REL);
}

void ask_again(int32_t value) {
  siginfo_t info{};
  info.si_signo = state.signal;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<pid_t>(sys(__NR_getpid));
  info.si_value.sival_int = value;
  sys(__NR_rt_sigqueueinfo, info.si_pid, state.signal, &info);
}

}  // namespace mig
