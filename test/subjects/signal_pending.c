// Pending signals of the process and of a thread: which, in what order, and the whole siginfo of queued real-time ones.
#include "subject.h"

static sigset_t all;
static pid_t me;
static atomic_int go, answered;
enum { kQueued = 40 };

static siginfo_t take(int n) {
  siginfo_t info = {0};
  sigset_t one;
  struct timespec none = {0, 0};
  sigemptyset(&one), sigaddset(&one, n);
  int r = sigtimedwait(&one, &info, &none);
  if (r != n) fail("signal %d is not pending (%s)", n, strerror(errno));
  return info;
}

static void *worker(void *unused) {
  for (int round = 0;; ++round) {
    pthread_sigqueue(pthread_self(), SIGRTMIN + 4, (union sigval){.sival_int = 5});
    pthread_kill(pthread_self(), SIGHUP);
    answered++;
    while (go <= round) sleep_ms(1);
    siginfo_t i = take(SIGRTMIN + 4);
    EXPECT_EQ(i.si_value.sival_int, 5);
    EXPECT_EQ(i.si_code, SI_QUEUE);
    i = take(SIGHUP);
    EXPECT_EQ(i.si_code, SI_USER);  // SI_TKILL, as libc tells it
    EXPECT_EQ(i.si_pid, me);
  }
}

static void send_all(void) {
  for (int i = 0; i < kQueued; ++i) EXPECT(!sigqueue(me, SIGRTMIN + 2 + i % 2, (union sigval){.sival_ptr = (void *)(0x1000000000L + i)}));
  EXPECT(!kill(me, SIGUSR1));
  EXPECT(!sigqueue(me, SIGUSR2, (union sigval){.sival_int = 6}));
  siginfo_t own = {.si_signo = SIGRTMIN + 6, .si_code = -77};
  own.si_pid = me, own.si_uid = 12345, own.si_value.sival_int = 9;
  EXPECT(!syscall(SYS_rt_sigqueueinfo, me, SIGRTMIN + 6, &own));
}

static void setup(void) {
  me = getpid();
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  send_all();
  start_thread(worker, NULL);
  WAIT_FOR(answered == 1);
}

static void verify(void) {
  sigset_t pending;
  sigpending(&pending);
  EXPECT(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGRTMIN + 2) && !sigismember(&pending, SIGHUP) && !sigismember(&pending, SIGTERM));
  for (int which = 0; which < 2; ++which)
    for (int i = which; i < kQueued; i += 2) {
      siginfo_t info = take(SIGRTMIN + 2 + which);
      EXPECT_EQ(info.si_value.sival_ptr, 0x1000000000L + i);
      EXPECT_EQ(info.si_code, SI_QUEUE);
      EXPECT_EQ(info.si_pid, me);
      EXPECT_EQ(info.si_uid, getuid());
    }
  siginfo_t info = take(SIGUSR1);
  EXPECT_EQ(info.si_code, SI_USER);
  EXPECT_EQ(info.si_pid, me);
  EXPECT_EQ(take(SIGUSR2).si_value.sival_int, 6);
  info = take(SIGRTMIN + 6);
  EXPECT_EQ(info.si_code, -77);
  EXPECT_EQ(info.si_uid, 12345);
  EXPECT_EQ(info.si_value.sival_int, 9);
  struct timespec none = {0, 0};
  EXPECT(sigtimedwait(&all, NULL, &none) < 0 && errno == EAGAIN);  // and no signal that was not there
  go++;
  WAIT_FOR(answered == generation + 2);
  send_all();
}
