// POSIX timers: all ways to notify, ids, remaining time, interval, overruns, several clocks; deleted ids stay free.
#include "subject.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
static timer_t by_signal, by_thread, to_thread, silent, cpu, overrun;
static atomic_int signals, threads, directed;
static pid_t target;

static void on_signal(int n, siginfo_t *i, void *c) {
  if (i->si_code != SI_TIMER) fail("si_code %d", i->si_code);
  if (i->si_value.sival_int != 11) fail("value %d", i->si_value.sival_int);
  signals++;
}
static void on_directed(int n) { gettid() == target ? directed++ : fail("signal to thread %d, not %d", gettid(), target); }
static void on_thread(union sigval v) { v.sival_int == 22 ? threads++ : fail("value %d", v.sival_int); }
static void *idle(void *unused) {
  target = gettid();
  for (;;) sleep_ms(10);
}

static timer_t make(clockid_t clock, int notify, int signal, int value, long first_ms, long interval_ms) {
  timer_t t = 0;
  struct sigevent e = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = value};
  if (notify == SIGEV_THREAD) e.sigev_notify_function = on_thread;
  if (notify == SIGEV_THREAD_ID) e.sigev_notify_thread_id = target;
  EXPECT(!timer_create(clock, &e, &t));
  struct itimerspec s = {{interval_ms / 1000, interval_ms % 1000 * 1000000}, {first_ms / 1000, first_ms % 1000 * 1000000}};
  EXPECT(!timer_settime(t, 0, &s, NULL));
  return t;
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART}, d = {.sa_handler = on_directed, .sa_flags = SA_RESTART};
  sigaction(SIGRTMIN + 1, &a, NULL);
  sigaction(SIGRTMIN + 2, &d, NULL);
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 3);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  start_thread(idle, NULL);
  WAIT_FOR(target);
  timer_t hole = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 1000, 0);
  by_signal = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 11, 20, 20);
  by_thread = make(CLOCK_REALTIME, SIGEV_THREAD, 0, 22, 20, 20);
  timer_delete(hole);
  to_thread = make(CLOCK_BOOTTIME, SIGEV_THREAD_ID, SIGRTMIN + 2, 0, 20, 20);
  silent = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 5000000, 3000);
  cpu = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_NONE, 0, 0, 5000000, 0);
  overrun = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 3, 0, 1, 1);
}

static void verify(void) {
  struct itimerspec s;
  int a = signals, b = threads, c = directed;
  WAIT_FOR(signals > a + 2);
  WAIT_FOR(threads > b + 2);
  WAIT_FOR(directed > c + 2);
  EXPECT(!timer_gettime(silent, &s));
  EXPECT(s.it_interval.tv_sec == 3 && s.it_value.tv_sec > 4900 && s.it_value.tv_sec <= 5000);
  EXPECT(!timer_gettime(cpu, &s));
  EXPECT(s.it_interval.tv_sec == 0 && s.it_value.tv_sec > 4900 && s.it_value.tv_sec <= 5000);
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set), sigaddset(&set, SIGRTMIN + 3);
  struct timespec second = {1, 0};
  EXPECT_EQ(sigtimedwait(&set, &info, &second), SIGRTMIN + 3);
  EXPECT(info.si_overrun > 5);
  EXPECT(!timer_gettime(by_signal, &s) && s.it_interval.tv_nsec == 20000000);
  timer_t more = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 1000, 0);
  EXPECT(more != by_signal && more != by_thread && more != to_thread && more != silent && more != cpu && more != overrun);
  EXPECT(!timer_delete(more));
}
