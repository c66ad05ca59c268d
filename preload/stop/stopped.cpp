// A stopped process takes no signal but SIGKILL and SIGCONT. So it is sent the request and then continued by a SIGCONT that
// says whose it is; the request's handler runs before anything of the program's does (the kernel puts the frame of the signal
// with the higher number on top). At the end the process stops itself.
//
// A handler that the program has for SIGCONT has its frame below ours then, and runs when somebody continues the process in
// earnest; that SIGCONT is taken out of the queue, or the handler would run twice.
//
// The parent sees none of this. It stands still before any child of it is continued (preload/job/cut.cpp), and the kernel forgets
// at the SIGCONT what wait(2) had to tell: so it looks before, and notes in the child's entry by which signal that was stopped,
// if it has not yet waited for that. The child stops by the same signal then, and wait tells it. Else the news is taken away
// before the parent runs. A child that runs, and whose SIGCONT the parent has not yet waited for, is stopped and continued after
// a restart.
//
// A process may also be stopped while it stands still, by a member that still runs or by somebody outside: whoever waits for it
// continues it, and it stops again like the others. Whether its parent had been told is not known then: it is told.
//
// SIGCHLD that such a stop causes is taken too. A standard signal is pending once: if one was pending before, the kernel
// drops ours; if a child has ended since, ours may be in the place of its signal, and stays.
#include "preload/stop/stopped.h"

#include <sys/wait.h>

#include "image/base/clock.h"
#include "image/base/procfs.h"
#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int64_t kStopLimit = kSecond;
constexpr int64_t kSignalLimit = 10 * kMillisecond;

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

bool was_stopped, in_handler;
bool was_told;      ///< a SIGCHLD was pending before the cut
bool is_restarted;  ///< and the members have not yet stopped again
uint32_t untold;    ///< of the entry's flags: what the parent does not know yet

Member* own_member() {
  return state.job && state.member >= 0 ? &state.job->members[state.member] : nullptr;
}

uint32_t flags_of(const Member& m) {
  return __atomic_load_n(&m.flags, __ATOMIC_ACQUIRE);
}
void change_flags(Member& m, uint32_t cleared, uint32_t set) {
  uint32_t flags = flags_of(m);
  while (!__atomic_compare_exchange_n(&m.flags, &flags, (flags & ~cleared) | set, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
}
int untold_signal(uint32_t flags) {
  return static_cast<int>((flags & kMemberUntold) / kMemberUntoldUnit);
}

bool is_pending(int signal) {
  uint64_t pending = 0;
  sys(__NR_rt_sigpending, &pending, sizeof pending);
  return pending & uint64_t{1} << (signal - 1);
}

bool take_signal(int signal, int64_t limit, siginfo_t& info) {
  uint64_t set = uint64_t{1} << (signal - 1);
  timespec t = to_timespec(limit);
  info = {};
  return sys(__NR_rt_sigtimedwait, &set, &info, &t, sizeof set) == signal;
}

/// True: one was there.
bool take_continue() {
  siginfo_t info;
  return take_signal(SIGCONT, 0, info);
}

KernelAction action_of(int signal) {
  KernelAction action{};
  sys(__NR_rt_sigaction, signal, nullptr, &action, 8);
  return action;
}

bool is_handled(int signal) {
  return action_of(signal).handler > 1;
}

void send_continue(int32_t pid) {
  siginfo_t info{};
  info.si_signo = SIGCONT;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<pid_t>(sys(__NR_getpid));
  info.si_value.sival_int = kCutValue;
  sys(__NR_rt_sigqueueinfo, pid, SIGCONT, &info);
}

bool look_at_child(int kind, int32_t pid, int options, siginfo_t& info) {
  info = {};
  return sys(__NR_waitid, kind, pid, &info, options | WNOHANG | __WALL, nullptr) == 0 && info.si_pid;
}

/// Calls visit(member) for each child that is a member with one of these flags.
template <class Visit>
void each_child_with(uint32_t flags, Visit visit) {
  auto self = static_cast<int32_t>(sys(__NR_getpid));
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i)
    if (Member& m = state.job->members[i]; m.pid > 0 && (!flags || flags_of(m) & flags) && process_stat(m.pid).ppid == self)
      visit(m);
}

/// The stop signals of a terminal stop nobody while they are handled, nor in an orphaned group: SIGSTOP does.
void stop_by(int signal) {
  if (is_pending(SIGCONT)) return;
  if (signal != SIGSTOP) {
    KernelAction standard{}, before = action_of(signal);
    uint64_t set = uint64_t{1} << (signal - 1);
    auto self = sys(__NR_getpid);
    sys(__NR_rt_sigaction, signal, &standard, nullptr, 8);
    sys(__NR_tgkill, self, sys(__NR_gettid), signal);
    sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &set, nullptr, 8);
    sys(__NR_rt_sigprocmask, SIG_BLOCK, &set, nullptr, 8);
    sys(__NR_rt_sigaction, signal, &before, nullptr, 8);
    if (is_pending(SIGCONT)) return;
  }
  sys(__NR_kill, sys(__NR_getpid), SIGSTOP);
}

/// Waits until the child stands still again, and lets wait(2) tell what it shall.
void await_stop(Member& m) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kStopLimit;
  uint32_t flags = flags_of(m);
  bool tells = (flags & kMemberStops) && (flags & kMemberUntold);
  siginfo_t info;
  while (!look_at_child(P_PID, m.pid, WSTOPPED | (tells ? WNOWAIT : 0), info) && clock_now(CLOCK_MONOTONIC) < deadline) {
    timespec t = to_timespec(kMillisecond / 10);
    sys(__NR_nanosleep, &t, nullptr);
  }
  if (!(flags & kMemberStops)) send_continue(m.pid);
}

/// One that stops again does so on its way; after a restart one that only has news for its parent stops for a moment.
bool is_about_to_stop(const Member& m) {
  uint32_t flags = flags_of(m);
  if (m.pid <= 0 || !(flags & (kMemberStops | (is_restarted ? kMemberUntold : 0)))) return false;
  char letter = process_stat(m.pid).state;
  return letter != 'Z' && letter != 'X' && !(letter == 'T' && (flags & kMemberStops));
}

/// Nobody runs before all have stopped: a SIGCONT that came first, or a SIGSTOP, would be lost.
void await_stops_of_others() {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kStopLimit;
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i)
    while (is_about_to_stop(state.job->members[i]) && clock_now(CLOCK_MONOTONIC) < deadline) {
      timespec t = to_timespec(kMillisecond / 10);
      sys(__NR_nanosleep, &t, nullptr);
    }
}

bool tells_stops() {
  KernelAction action = action_of(SIGCHLD);
  return action.handler != 1 && !(action.flags & SA_NOCLDSTOP);
}

/// Those that are due have all been sent, but perhaps not all the way. One that is not ours goes back.
void swallow_signals() {
  siginfo_t info, kept{};
  for (int64_t limit = kSignalLimit; tells_stops() && take_signal(SIGCHLD, limit, info); limit = kMillisecond) {
    siginfo_t seen = info;
    seen.si_pid = virtual_id(info.si_pid);
    if (is_news_of_cut(seen)) continue;
    kept = info;
    limit = kMillisecond;
  }
  if (kept.si_signo) sys(__NR_rt_sigqueueinfo, sys(__NR_getpid), SIGCHLD, &kept);
}

/// The parent is told of this stop, and no more of what was before it.
void tell_stop(Member& own) {
  change_flags(own, kMemberUntold, SIGSTOP * kMemberUntoldUnit);
}

}  // namespace

void continue_member(Member& m) {
  change_flags(m, 0, kMemberStopped);
  send_continue(m.pid);
}

void note_news() {
  was_told = is_pending(SIGCHLD);
  siginfo_t info;
  if (!look_at_child(P_ALL, 0, WSTOPPED | WCONTINUED | WNOWAIT, info)) return;
  each_child_with(0, [](Member& m) {
    siginfo_t news;
    if (!look_at_child(P_PID, m.pid, WSTOPPED | WCONTINUED | WNOWAIT, news)) return;
    bool stopped = news.si_code == CLD_STOPPED;
    change_flags(m, kMemberUntold, static_cast<uint32_t>(stopped ? news.si_status : SIGCONT) * kMemberUntoldUnit);
  });
}

void note_own_stop() {
  Member* own = own_member();
  was_stopped = own && (flags_of(*own) & kMemberStopped);
  if (own) change_flags(*own, kMemberStopped | kMemberStops, was_stopped ? kMemberStops : 0);
  in_handler = was_stopped && !take_continue() && is_handled(SIGCONT);
  if (was_stopped && untold_signal(flags_of(*own)) == SIGCONT) tell_stop(*own);
}

/// A SIGCONT that is not the cut's came first: somebody has continued it in earnest.
void note_late_stop() {
  Member* own = own_member();
  if (!own || !(flags_of(*own) & kMemberStopped)) return;
  siginfo_t info;
  bool continued = take_signal(SIGCONT, 0, info) && info.si_value.sival_int != kCutValue;
  if (continued) sys(__NR_rt_sigqueueinfo, sys(__NR_getpid), SIGCONT, &info);
  if (!was_stopped && !continued) tell_stop(*own);
  was_stopped = was_stopped || !continued;
  change_flags(*own, kMemberStopped, was_stopped ? kMemberStops : 0);
}

uint32_t own_stop_signal() {
  note_late_stop();
  Member* own = own_member();
  untold = own ? flags_of(*own) & kMemberUntold : 0;
  return was_stopped ? SIGSTOP : 0;
}

void announce_stop() {
  if (Member* own = own_member(); own && (was_stopped || untold))
    change_flags(*own, 0, untold | (was_stopped ? kMemberStops : 0));
  is_restarted = true;
}

void stop_again() {
  if (Member* own = own_member(); own && !is_restarted) untold = flags_of(*own) & kMemberUntold;
  bool only_news = is_restarted && untold && !was_stopped;
  if (was_stopped || only_news) stop_by(was_stopped && untold ? untold_signal(untold) : SIGSTOP);
  if ((was_stopped && in_handler) || only_news) take_continue();
  if (Member* own = own_member(); own && was_stopped) change_flags(*own, kMemberStops, 0);
  await_stops_of_others();
  was_stopped = is_restarted = false;
  untold = 0;
}

bool is_news_of_cut(const siginfo_t& info) {
  if (info.si_signo != SIGCHLD || was_told || (info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED)) return false;
  siginfo_t end;
  if (look_at_child(P_ALL, 0, WEXITED | WNOWAIT, end)) return false;
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i)
    if (const Member& m = state.job->members[i]; m.pid > 0 && m.vpid == info.si_pid)
      return flags_of(m) & (kMemberStops | (is_restarted ? kMemberUntold : 0));
  return false;
}

void swallow_stops() {
  bool any = false;
  each_child_with(kMemberStops | kMemberUntold, [&](Member& m) {
    if (!is_restarted && !(flags_of(m) & kMemberStops)) return;
    await_stop(m);
    any = true;
  });
  if (any) swallow_signals();
  each_child_with(kMemberStops | kMemberUntold, [](Member& m) { change_flags(m, kMemberStops | kMemberUntold, 0); });
}

void stay_stopped() {
  if (Member* own = own_member(); !own || !(flags_of(*own) & kMemberStopped)) return;
  note_own_stop();
  stop_again();
}

}  // namespace mig
