// Children of the process: a checkpoint does not cover them yet, and one that has any is refused with their names.
//
// waitid with WNOHANG and WNOWAIT tells in one call whether there are children at all, of any kind (__WALL), and
// takes nothing from the program. Their numbers are in /proc/self/task/TID/children (CONFIG_PROC_CHILDREN, which
// CONFIG_CHECKPOINT_RESTORE brings); without it only a dead one can be named.
//
// The child of a fork is a process of its own: it keeps the table of ids (its parent's number among them), has
// its real pid as its virtual one, and enters the job's table by itself. Where libc forks for the program (daemon, forkpty), its
// handlers of pthread_atfork tell; they are asked for only then, since that costs each start of a program. A vfork
// child shares its parent's memory, and nothing here is touched until it has become another program.
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
#include "preload/start.h"
#include "preload/state.h"
#include "preload/times.h"

extern "C" int __register_atfork(void (*)(), void (*)(), void (*)(), void*);

namespace mig {
namespace {

Hook<pid_t (*)()> original_fork("fork"), original_Fork("_Fork");
MIG_ORIGINAL(daemon);
Hook<int (*)(int*, char*, const termios*, const winsize*)> original_forkpty("forkpty");
Hook<int (*)(int (*)(void*), void*, int, void*, pid_t*, void*, pid_t*)> original_clone("clone");

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

bool watching = false;

/// From now on libc tells of every fork, also of its own.
void watch_forks() {
  if (watching) return;
  watching = true;
  __register_atfork(nullptr, nullptr, begin_as_child, nullptr);
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

MIG_START void begin_as_child() {
  if (!state.active) return;
  state.stop = kRunning, state.claimed = 0;  // another thread of the parent may have been about to stop it, or to execute
  forget_own_ids();
  forget_times();
  job_of_child();
}

}  // namespace mig

using namespace mig;

MIG_EXPORT pid_t fork() noexcept {
  pid_t child = original_fork();
  if (child == 0 && !watching) begin_as_child();
  return child;
}
MIG_EXPORT pid_t __fork() noexcept {
  return fork();
}
MIG_EXPORT pid_t _Fork() noexcept {
  pid_t child = original_Fork();
  if (child == 0) begin_as_child();
  return child;
}
MIG_EXPORT int daemon(int keep_directory, int keep_streams) noexcept {
  watch_forks();
  return original_daemon(keep_directory, keep_streams);
}
MIG_EXPORT int forkpty(int* terminal, char* name, const termios* settings, const winsize* size) noexcept {
  watch_forks();
  return original_forkpty(terminal, name, settings, size);
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
    return original_clone(run, stack, flags, argument, parent_tid, tls, child_tid);
  }
  ChildStart start{run, argument};
  return original_clone(run ? start_child : nullptr, stack, flags, &start, parent_tid, tls, child_tid);
}
