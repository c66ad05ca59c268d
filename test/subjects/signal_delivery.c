// Signals sent without pause while checkpoints come: each queued one is handled exactly once, in order, and
// handlers see the program's own pid.
#include <sys/wait.h>

#include "subject.h"

static atomic_long handled, expected_next;
static atomic_int raised;

static void on_rt(int n, siginfo_t *i, void *c) {
  int saved = errno;
  if (i->si_pid != getpid()) fail("si_pid is %d, getpid %d", i->si_pid, getpid());
  if (i->si_value.sival_int != expected_next) fail("value %d, expected %ld", i->si_value.sival_int, (long)expected_next);
  expected_next++;
  handled++;
  errno = saved;
}
static void on_fpe(int n, siginfo_t *i, void *c) { raised++; }

static void *sender(void *unused) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 1);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  for (int n = 0;;) {
    if (sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = n}) == 0) ++n;
    else if (errno != EAGAIN) fail("sigqueue: %s", strerror(errno));
    if (n - handled > 50) sleep_ms(1);
  }
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO | SA_RESTART}, f = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 1, &a, NULL);
  sigaction(SIGFPE, &f, NULL);
  start_thread(sender, NULL);
}

static void verify(void) {
  long before = handled;
  WAIT_FOR(handled > before + 200);
  raise(SIGFPE);
  EXPECT_EQ(raised, generation + 1);
}
