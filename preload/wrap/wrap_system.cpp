// Wrapper: system(3). libc's own knows the shell by the kernel's number, which does not last; so this one stands in its place.
//
// SIGINT and SIGQUIT are ignored while any thread is inside, SIGCHLD is blocked in the one that waits. A thread that
// is cancelled meanwhile kills its shell, waits for it, and puts the signals back.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "preload/wrap/hook.h"
#include "preload/wrap/shell.h"

namespace mig {
namespace {

/// As pthread_cleanup_push has them; in libpthread before glibc 2.34.
Hook<void (*)(void*), "__pthread_register_cancel"> register_cancel;
Hook<void (*)(void*), "__pthread_unregister_cancel"> unregister_cancel;
Hook<void (*)(void*), "__pthread_unwind_next"> unwind_next;
MIG_ORIGINAL(pthread_setcancelstate);

constexpr int kNotExecuted = 127 << 8;

struct {
  ShellLock lock;
  uint32_t users;
  struct sigaction interrupt, quit;
} ignored{};

void ignore_signals() {
  if (!ignored.lock.take()) return;
  if (ignored.users++ == 0) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &ignored.interrupt);
    sigaction(SIGQUIT, &ignore, &ignored.quit);
  }
  ignored.lock.release();
}
void heed_signals() {
  if (!ignored.lock.take()) return;
  if (--ignored.users == 0) {
    sigaction(SIGINT, &ignored.interrupt, nullptr);
    sigaction(SIGQUIT, &ignored.quit, nullptr);
  }
  ignored.lock.release();
}

/// One call of system: its shell, and the mask that the thread had.
struct Shell {
  pid_t pid;
  sigset_t mask;
};

void begin(Shell& shell) {
  ignore_signals();
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_BLOCK, &blocked, &shell.mask);
}
void end(const Shell& shell) {
  heed_signals();
  sigprocmask(SIG_SETMASK, &shell.mask, nullptr);
}

bool start(Shell& shell, const char* command) {
  posix_spawnattr_t attributes;
  sigset_t defaults;
  posix_spawnattr_init(&attributes);
  sigemptyset(&defaults);
  if (ignored.interrupt.sa_handler != SIG_IGN) sigaddset(&defaults, SIGINT);
  if (ignored.quit.sa_handler != SIG_IGN) sigaddset(&defaults, SIGQUIT);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &shell.mask);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  int error = start_shell(&shell.pid, command, nullptr, &attributes);
  posix_spawnattr_destroy(&attributes);
  return !error;
}

void abandon(const Shell& shell) {
  int before = 0;
  original_pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  kill(shell.pid, SIGKILL);
  wait_for_shell(shell.pid);
  original_pthread_setcancelstate(before, nullptr);
  end(shell);
}

/// The wait, which is a cancellation point.
int await(const Shell& shell) {
  if (!register_cancel.get()) return wait_for_shell(shell.pid);
  __pthread_unwind_buf_t buffer;
  if (__sigsetjmp(reinterpret_cast<__jmp_buf_tag*>(buffer.__cancel_jmp_buf), 0)) {
    abandon(shell);
    unwind_next(&buffer);
  }
  register_cancel(&buffer);
  int status = wait_for_shell(shell.pid);
  unregister_cancel(&buffer);
  return status;
}

int run(const char* command) {
  Shell shell{};
  begin(shell);
  int status = start(shell, command) ? await(shell) : kNotExecuted;
  int error = errno;
  end(shell);
  errno = error;
  return status;
}

}  // namespace
}  // namespace mig

MIG_EXPORT int system(const char* command) {
  return command ? mig::run(command) : mig::run("exit 0") == 0;
}
