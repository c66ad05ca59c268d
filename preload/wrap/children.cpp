// Children that begin to run.
//
// The child of a fork is a process of its own: it keeps the table of ids (its parent's number among them), has
// its real pid as its virtual one if no member has that, and enters the job's table by itself. Where libc forks for the
// program (daemon, forkpty), its handlers of pthread_atfork tell; they are asked for only then, since that costs each start of
// a program. A vfork child shares its parent's memory, and nothing of the process is touched until it has become another
// program.
//
// After a restart the kernel may give a child a number that a member has: then it gets another one (preload/ids.h), which
// the parent is told by everything that returns a child's pid.
#include "preload/wrap/children.h"

#include <pty.h>
#include <sched.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/job/job.h"
#include "preload/job/members.h"
#include "preload/job/offspring.h"
#include "preload/mark.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/stop/period.h"
#include "preload/times.h"
#include "preload/unsplit.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/shell.h"

extern "C" int __register_atfork(void (*)(), void (*)(), void (*)(), void*);

namespace mig {
namespace {

Hook<pid_t (*)(), "fork"> original_fork;
Hook<pid_t (*)(), "_Fork"> original_Fork;
MIG_ORIGINAL(daemon);
Hook<int (*)(int*, char*, const termios*, const winsize*), "forkpty"> original_forkpty;
Hook<int (*)(int (*)(void*), void*, int, void*, pid_t*, void*, pid_t*), "clone"> original_clone;

bool watching = false;

/// From now on libc tells of every fork, also of its own.
void watch_forks() {
  if (watching) return;
  watching = true;
  __register_atfork(expect_child, nullptr, begin_as_child, nullptr);
}

struct ChildStart {
  int (*run)(void*);
  void* argument;
};
int start_child(void* memory) {
  auto start = static_cast<ChildStart*>(memory);
  begin_as_child();
  return start->run(start->argument);
}

}  // namespace

MIG_START void begin_as_child() {
  if (!state.active) return;
  state.stop = kRunning, state.claimed = 0;  // another thread of the parent may have been about to stop it, or to execute
  int32_t parent = ids.real_pid;
  forget_own_ids();
  forget_times();
  forget_wordexp();
  job_of_child(parent);
  start_period();
}

void note_started(int32_t real, int32_t number) {
  if (!state.active || !state.job || state.member < 0 || is_confined() || !is_own_process()) return;
  if (becomes_member(real)) enter_started(real, number);
}

}  // namespace mig

using namespace mig;

extern "C" __attribute__((visibility("hidden"))) MIG_UNSPLIT long mig_birth(long result) {
  Mark not_split;
  if (result == 0) adopt_new_task(static_cast<int32_t>(sys(__NR_getpid)));
  if (result <= 0) return result;
  int32_t number = adopt_new_task(static_cast<int32_t>(result));
  note_started(static_cast<int32_t>(result), number);
  return number;
}

/// The program's own handlers of pthread_atfork run before ours: what they are told must not come from the parent's caches.
MIG_EXPORT MIG_START pid_t fork() noexcept {
  cached_pid = cached_tid = 0;
  return born_by([] {
    if (watching) return original_fork();
    auto child = static_cast<pid_t>(fork_member([] { return original_fork(); }));
    if (child == 0) begin_as_child();
    return child;
  });
}
MIG_EXPORT pid_t __fork() noexcept {
  return fork();
}
MIG_EXPORT MIG_START pid_t _Fork() noexcept {
  return born_by([] {
    auto child = static_cast<pid_t>(fork_member([] { return original_Fork(); }));
    if (child == 0) begin_as_child();
    return child;
  });
}
MIG_EXPORT int daemon(int keep_directory, int keep_streams) noexcept {
  watch_forks();
  return original_daemon(keep_directory, keep_streams);
}
MIG_EXPORT int forkpty(int* terminal, char* name, const termios* settings, const winsize* size) noexcept {
  watch_forks();
  return born_by([&] { return original_forkpty(terminal, name, settings, size); });
}

/// Without CLONE_VM the child has a copy of this frame. With it, it shares its parent's memory as after vfork.
MIG_EXPORT int clone(int (*run)(void*), void* stack, int flags, void* argument, ...) noexcept {
  __builtin_va_list args;
  __builtin_va_start(args, argument);
  auto parent_tid = __builtin_va_arg(args, pid_t*);
  auto tls = __builtin_va_arg(args, void*);
  auto child_tid = __builtin_va_arg(args, pid_t*);
  __builtin_va_end(args);
  if (flags & CLONE_VM) {
    if (!(flags & CLONE_SETTLS)) cached_pid = cached_tid = 0;
    return born_by([&] { return original_clone(run, stack, flags, argument, parent_tid, tls, child_tid); });
  }
  ChildStart start{run, argument};
  return born_by([&] {
    return fork_member(
        [&] { return original_clone(run ? start_child : nullptr, stack, flags, &start, parent_tid, tls, child_tid); });
  });
}
