// Dispositions of all signals with their flags and masks, and the process's and the thread's signal masks.
#include "subject.h"

static void plain(int n) {}
static void full(int n, siginfo_t *i, void *c) {}
static struct sigaction wanted[65];

static void look(int n, struct sigaction *a) { EXPECT(!sigaction(n, NULL, a)); }

static void setup(void) {
  sigset_t blocked;
  for (int n = 1; n < 64; ++n) {  // 64 is the checkpoint signal's default place
    if (n == SIGKILL || n == SIGSTOP || n == 32 || n == 33) continue;
    struct sigaction a = {0};
    sigemptyset(&a.sa_mask);
    if (n % 4 == 0) a.sa_handler = SIG_IGN;
    if (n % 4 == 1) a.sa_handler = plain, a.sa_flags = SA_RESTART | (n % 8 == 1 ? SA_NODEFER : 0), sigaddset(&a.sa_mask, 1 + n % 30);
    if (n % 4 == 2) a.sa_sigaction = full, a.sa_flags = SA_SIGINFO | SA_ONSTACK | (n % 8 == 2 ? SA_RESETHAND : 0), sigfillset(&a.sa_mask);
    if (n == SIGCHLD) a.sa_flags |= SA_NOCLDSTOP | SA_NOCLDWAIT;
    EXPECT(!sigaction(n, &a, NULL));
    look(n, &wanted[n]);
  }
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGHUP), sigaddset(&blocked, SIGWINCH), sigaddset(&blocked, SIGRTMIN + 7);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void verify(void) {
  sigset_t blocked;
  for (int n = 1; n < 64; ++n) {
    if (n == SIGKILL || n == SIGSTOP || n == 32 || n == 33) continue;
    struct sigaction a;
    look(n, &a);
    if (a.sa_handler != wanted[n].sa_handler || a.sa_flags != wanted[n].sa_flags || memcmp(&a.sa_mask, &wanted[n].sa_mask, 8))
      fail("signal %d: handler %p flags %x, before %p %x", n, (void *)a.sa_handler, a.sa_flags, (void *)wanted[n].sa_handler, wanted[n].sa_flags);
  }
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  for (int n = 1; n < 64; ++n) EXPECT_EQ(sigismember(&blocked, n), n == SIGHUP || n == SIGWINCH || n == SIGRTMIN + 7);
}
