// A stopped process takes no signal but SIGKILL and SIGCONT. So it is sent the request and then continued by a SIGCONT that
// says whose it is; the request's handler runs before anything of the program's does (the kernel puts the frame of the signal
// with the higher number on top). At the end the process stops itself.
//
// A handler that the program has for SIGCONT has its frame below ours then, and runs when somebody continues the process in
// earnest; that SIGCONT is taken out of the queue, or the handler would run twice.
//
// The parent sees none of this: what wait(2) has to tell is taken away before it runs. One that had not yet waited for
// the first stop loses it.
#include "preload/stopped.h"

#include <signal.h>
#include <sys/wait.h>

#include "image/base/clock.h"
#include "image/base/procfs.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int64_t kStopLimit = kSecond;

bool was_stopped, in_handler;

Member* own_member() {
  return state.job && state.member >= 0 ? &state.job->members[state.member] : nullptr;
}

/// True: one was there.
bool take_continue() {
  uint64_t set = uint64_t{1} << (SIGCONT - 1);
  timespec none{};
  siginfo_t info;
  return sys(__NR_rt_sigtimedwait, &set, &info, &none, sizeof set) == SIGCONT;
}

bool is_handled(int signal) {
  struct {
    uint64_t handler, flags, restorer, mask;
  } action{};
  return sys(__NR_rt_sigaction, signal, nullptr, &action, 8) == 0 && action.handler > 1;
}

}  // namespace

void continue_member(Member& m) {
  __atomic_fetch_or(&m.flags, kMemberStopped, __ATOMIC_ACQ_REL);
  siginfo_t info{};
  info.si_signo = SIGCONT;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<pid_t>(sys(__NR_getpid));
  info.si_value.sival_int = kCutValue;
  sys(__NR_rt_sigqueueinfo, m.pid, SIGCONT, &info);
}

void note_own_stop() {
  Member* own = own_member();
  was_stopped = own && (__atomic_load_n(&own->flags, __ATOMIC_ACQUIRE) & kMemberStopped);
  in_handler = was_stopped && !take_continue() && is_handled(SIGCONT);
}

uint32_t own_stop_signal() {
  return was_stopped ? SIGSTOP : 0;
}

void announce_stop() {
  if (Member* own = own_member(); own && was_stopped) __atomic_fetch_or(&own->flags, kMemberStopped, __ATOMIC_ACQ_REL);
}

void stop_again() {
  if (!was_stopped) return;
  was_stopped = false;
  sys(__NR_kill, sys(__NR_getpid), SIGSTOP);
  if (Member* own = own_member()) __atomic_fetch_and(&own->flags, ~kMemberStopped, __ATOMIC_ACQ_REL);
  if (in_handler) take_continue();
}

void swallow_stops() {
  auto self = static_cast<int32_t>(sys(__NR_getpid));
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i) {
    Member& m = state.job->members[i];
    if (!(__atomic_load_n(&m.flags, __ATOMIC_ACQUIRE) & kMemberStopped) || m.pid <= 0 || process_stat(m.pid).ppid != self)
      continue;
    int64_t deadline = clock_now(CLOCK_MONOTONIC) + kStopLimit;
    siginfo_t info{};
    while (clock_now(CLOCK_MONOTONIC) < deadline && !info.si_pid)
      if (sys(__NR_waitid, P_PID, m.pid, &info, WSTOPPED | WNOHANG, nullptr) < 0) break;
    __atomic_fetch_and(&m.flags, ~kMemberStopped, __ATOMIC_ACQ_REL);
  }
}

}  // namespace mig
