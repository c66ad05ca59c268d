// Children of the process: a checkpoint does not cover them yet, and one that has any is refused with their names.
//
// waitid with WNOHANG and WNOWAIT tells in one call whether there are children at all, of any kind (__WALL), and
// takes nothing from the program. Their numbers are in /proc/self/task/TID/children (CONFIG_PROC_CHILDREN, which
// CONFIG_CHECKPOINT_RESTORE brings); without it only a dead one can be named.
//
// The child of a fork is a process of its own: it keeps the table of ids (its parent's number among them), has
// its real pid as its virtual one if no member has that, and enters the job's table by itself. fork() runs the handlers of
// pthread_atfork also where libc forks for the program (daemon, forkpty); _Fork() runs none, so it is wrapped. A vfork
// child shares its parent's memory, and nothing of the process is touched until it has become another program.
//
// After a restart the kernel may give a child a number that a member has: then it gets another one (preload/ids.h), which
// the parent is told by everything that returns a child's pid.
#include "preload/children.h"

#include <pty.h>
#include <sched.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/base/file.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "preload/hook.h"
#include "preload/ids.h"
#include "preload/job.h"
#include "preload/state.h"
#include "preload/times.h"

extern "C" int __register_atfork(void (*)(), void (*)(), void (*)(), void*);

namespace mig {
namespace {

MIG_ORIGINAL(fork);
MIG_ORIGINAL(forkpty);
Hook<pid_t (*)()> original_Fork("_Fork");
Hook<int (*)(int (*)(void*), void*, int, void*, pid_t*, void*, pid_t*)> original_clone("clone");

/// What the parent is told of a child. Born before a restart, the child keeps the number it was born with.
template <class Birth>
pid_t born_by(Birth birth) {
  uint64_t generation = state.generation;
  pid_t child = birth();
  return child > 0 && generation == state.generation ? adopt_new_task(child) : child;
}

/// The first child of any thread, or 0.
int32_t first_child() {
  ScopedFd tasks(open_path("/proc/self/task", O_RDONLY | O_DIRECTORY));
  int32_t child = 0;
  if (tasks.ok())
    each_entry(tasks.get(), [&](const char* tid, unsigned char) {
      char path[64], text[64];
      Text(path) << "/proc/self/task/" << tid << "/children";
      if (read_text(path, text, sizeof text) > 0) child = static_cast<int32_t>(Scan(text).number());
      return !child;
    });
  return child;
}

char state_of(int32_t pid) {
  char path[64];
  Text(path) << "/proc/" << pid << "/stat";
  return state_letter(path);
}

void put_command(Text& t, int32_t pid) {
  char path[64], command[256];
  Text(path) << "/proc/" << pid << "/cmdline";
  long n = read_text(path, command, sizeof command);
  for (long i = 0; i + 1 < n; ++i)
    if (!command[i]) command[i] = ' ';
  if (n > 0) {
    t << command;
    return;
  }
  Text(path) << "/proc/" << pid << "/comm";
  n = read_text(path, command, sizeof command);
  if (n > 0) command[n - 1] = 0;
  t << (n > 0 ? command : "unknown");
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

void begin_as_child() {
  if (!state.active) return;
  forget_own_ids();
  forget_times();
  job_of_child();
}

bool refuse_children() {
  siginfo_t info{};
  if (sys(__NR_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr) < 0) return false;
  int32_t child = first_child();
  if (!child) child = info.si_pid;
  char object[400];
  Text text(object);
  text << "child " << child << " (";
  put_command(text, child);
  text << ")";
  if (!child) text = Text(object), text << "a child of the program";
  bool dead = child && state_of(child) == 'Z';
  refuse(
      Error::kUnsupportedProcess, object,
      dead ? "it has ended and the program has not waited for it yet" : "a job of several processes cannot be checkpointed yet");
  return true;
}

void watch_forks() {
  __register_atfork(nullptr, nullptr, begin_as_child, nullptr);
}

}  // namespace mig

using namespace mig;

extern "C" __attribute__((visibility("hidden"), used)) long mig_birth(long result) {
  if (result == 0) adopt_new_task(static_cast<int32_t>(sys(__NR_getpid)));
  return result > 0 ? adopt_new_task(static_cast<int32_t>(result)) : result;
}

MIG_EXPORT pid_t _Fork() noexcept {
  return born_by([] {
    pid_t child = original_Fork();
    if (child == 0) begin_as_child();
    return child;
  });
}
MIG_EXPORT pid_t fork() noexcept {
  return born_by([] { return original_fork(); });
}
MIG_EXPORT pid_t __fork() noexcept {
  return fork();
}
MIG_EXPORT int forkpty(int* master, char* name, const termios* settings, const winsize* size) noexcept {
  return born_by([&] { return original_forkpty(master, name, settings, size); });
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
  return born_by([&] { return original_clone(run ? start_child : nullptr, stack, flags, &start, parent_tid, tls, child_tid); });
}
