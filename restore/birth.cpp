#include "restore/birth.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "image/base/file.h"
#include "restore/failure.h"
#include "restore/job.h"
#include "restore/meeting.h"
#include "restore/options.h"
#include "restore/sharing.h"
#include "restore/terminal.h"

namespace mig {
namespace {

int32_t own(int number) {
  return static_cast<int32_t>(sys(number, 0));
}

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

void set_action(int signal, uint64_t handler) {
  KernelAction action{handler, 0, 0, 0};
  sys(__NR_rt_sigaction, signal, &action, nullptr, 8);
}

/// What the ends of helpers and zombies have left pending; ignoring a signal discards it.
void discard(int signal) {
  if (signal && signal != SIGCHLD) set_action(signal, 1);
  if (signal) set_action(signal, 0);
}

void reap(int32_t pid) {
  Patience patience("the end of a helper process");
  int status = 0;
  while (sys(__NR_wait4, pid, &status, WNOHANG | __WALL, nullptr) == 0) patience.wait();
  if (status) give_up(Error::kResourceFailed, "a helper process", "it ended while the job was restored");
}

class Family {
 public:
  explicit Family(Lineage& all) : all_(all), tables_(all) {}

  int32_t make() {
    tables_.begin();
    for (int32_t child = 0; child >= 0;) {
      self_ = child;
      child = begin();
    }
    tables_.settle(self_);
    meet(BirthStep::kBorn);
    if (self_) drop_ready();
    find_places();
    if (me().role == Role::kMember) {
      bury();
      return self_;
    }
    end();
  }

 private:
  Birth& me() { return all_[self_]; }

  /// Returns the index of a child in the new process, -1 in this one.
  int32_t begin() {
    steps_.resize_down(0);
    parent_at_birth_ = static_cast<int32_t>(sys(__NR_getppid));
    enter_meeting(self_);
    if (int32_t child = create(true); child >= 0) return child;
    lead();
    return create(false);
  }

  /// Only the first process tells the caller, who would else not see the end of the pipe.
  static void drop_ready() {
    if (options.ready_fd >= 0 && keeps_files() && !shares_files_with_first()) sys(__NR_close, options.ready_fd);
    options.ready_fd = -1;
  }

  static long fork_with(long flags) {
    long pid = sys(__NR_clone, flags, 0, 0, 0, 0);
    if (pid < 0) give_up(Error::kResourceFailed, "a process of the job", "fork", pid);
    return pid;
  }

  int32_t create(bool early) {
    for (int32_t i = me().first_created; i >= 0; i = all_[i].next_created)
      if (all_[i].early == early && bring_forth(i)) return i;
    return -1;
  }

  /// True in the new process.
  bool bring_forth(int32_t i) {
    const Birth& b = all_[i];
    long shared = tables_.prepare(i);
    return b.way == Way::kOrphan ? bring_forth_orphan(i, shared)
                                 : fork_birth(i, shared | b.exit_signal | (b.way == Way::kSibling ? CLONE_PARENT : 0));
  }

  bool fork_birth(int32_t i, long flags) {
    long pid = fork_with(flags);
    if (pid) enter_newborn(i, static_cast<int32_t>(pid));
    else tables_.be_born(i);
    return pid == 0;
  }

  /// One for the outside goes there before anybody can adopt it, any other when its parent to be can.
  bool bring_forth_orphan(int32_t i, long shared) {
    const Birth& b = all_[i];
    if (auto step = static_cast<int32_t>(fork_with(shared))) {
      if (b.parent < 0) reap(step);
      else steps_.push(step);
      return false;
    }
    leave_meeting();
    if (fork_birth(i, shared | SIGCHLD)) return true;
    if (!(shared & CLONE_FILES) && options.ready_fd >= 0) sys(__NR_close, options.ready_fd);
    if (b.parent >= 0) await(BirthStep::kCaught);
    for (;;) sys(__NR_exit_group, 0);
  }

  void lead() {
    bool outside = self_ == 0 && all_.session.virtual_number == me().vsid;
    long r = 0;
    if (all_.leads_session(self_) && !outside) {
      if (own(__NR_getsid) != sys(__NR_getpid)) r = sys(__NR_setsid);
      take_terminal(me().terminal);
    } else if (me().founds_group && own(__NR_getpgid) != sys(__NR_getpid)) {
      r = sys(__NR_setpgid, 0, 0);
    }
    if (r < 0) give_up(Error::kResourceFailed, "a session or process group", "found", r);
  }

  void find_places() {
    if (self_ == 0) enter_numbers(all_);
    if (me().role == Role::kMember) sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, me().subreaper, 0, 0, 0);
    meet(BirthStep::kCaught);
    for (int32_t step : steps_) reap(step);
    await_adoption();
    bool moves = me().founds_group && me().vpgid != me().vpid;
    if (!moves) join_group();
    meet(BirthStep::kJoined);
    if (moves) join_group();
    meet(BirthStep::kSettled);
  }

  void await_adoption() {
    if (me().way != Way::kOrphan || me().parent < 0) return;
    Patience patience("the adoption of an orphan");
    while (sys(__NR_getppid) == parent_at_birth_) patience.wait();
    if (sys(__NR_getppid) != real_number(me().parent))
      give_up(Error::kResourceFailed, "an orphan", "another process than before has adopted it");
  }

  void join_group() {
    bool outside = me().vpgid == all_.group.virtual_number;
    int32_t group = outside ? all_.group.real_number : real_number(all_.find(me().vpgid));
    if (own(__NR_getpgid) == group) return;
    if (long r = sys(__NR_setpgid, 0, group); r < 0) give_up(Error::kResourceFailed, "a process group", "join", r);
  }

  /// Reaps helpers and waits until zombies are zombies.
  void bury() {
    for (int32_t i = 0; i < all_.size(); ++i) {
      if (all_[i].parent != self_ || all_[i].role == Role::kMember) continue;
      if (all_[i].role == Role::kHelper) reap(real_number(i));
      else await_end(real_number(i));
      discard(all_[i].exit_signal);
    }
  }

  static void await_end(int32_t pid) {
    Patience patience("the end of a process that had ended before");
    siginfo_t info{};
    while (sys(__NR_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr) == 0 && !info.si_pid)
      patience.wait();
  }

  [[noreturn]] void end() {
    bury();
    if (me().role == Role::kZombie) {
      sys(__NR_prctl, PR_SET_NAME, me().name, 0, 0, 0);
      if (WIFSIGNALED(me().status)) end_by_signal(WTERMSIG(me().status));
    }
    for (;;) sys(__NR_exit_group, WEXITSTATUS(me().status));
  }

  static void end_by_signal(int signal) {
    uint64_t none[2] = {0, 0};
    sys(__NR_prlimit64, 0, RLIMIT_CORE, none, nullptr);
    set_action(signal, 0);
    sys(__NR_kill, sys(__NR_getpid), signal);
    sys(__NR_rt_sigprocmask, SIG_SETMASK, none, nullptr, 8);
  }

  Lineage& all_;
  OwnTables tables_;
  int32_t self_ = 0, parent_at_birth_ = 0;
  HomeArray<int32_t> steps_;  ///< processes between this one and orphans of it
};

}  // namespace

int32_t give_birth(Lineage& lineage) {
  set_action(SIGCHLD, 0);  // ignored, it would have the kernel reap children by itself
  sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  return Family(lineage).make();
}

}  // namespace mig
