// Timers made after a restart: SIGEV_THREAD, whose helper thread libc remembers by an old number, and SIGEV_THREAD_ID to
// a thread that the program knows by its old one. One-shot timers fire once, also when they expire during a checkpoint.
#include "subject.h"

static atomic_int threads, directed, fired, target, sent;

static void on_thread(union sigval v) { v.sival_int == 41 ? (void)threads++ : fail("value %d", v.sival_int); }
static void on_once(union sigval v) { fired++; }
static void on_directed(int n) { gettid() == target ? (void)directed++ : fail("signal to thread %d, not %d", gettid(), target); }

static void *idle(void *unused) {
  target = gettid();
  for (;;) sleep_ms(10);
}

static timer_t make(int notify, void (*function)(union sigval), long first_ns, long interval_ns) {
  timer_t t = 0;
  struct sigevent e = {.sigev_notify = notify, .sigev_value.sival_int = 41};
  struct itimerspec s = {{0, interval_ns}, {0, first_ns}};
  if (notify == SIGEV_THREAD) e.sigev_notify_function = function;
  else e.sigev_signo = SIGRTMIN + 1, e._sigev_un._tid = target;
  EXPECT(!timer_create(CLOCK_MONOTONIC, &e, &t));
  EXPECT(!timer_settime(t, 0, &s, NULL));
  return t;
}

/// One-shot timers without pause: each must fire exactly once.
static void *once(void *unused) {
  for (;;) {
    int before = fired;
    timer_t t = make(SIGEV_THREAD, on_once, 3000000, 0);
    for (int ms = 0; ms < 5000 && fired == before; ++ms) sleep_ms(1);
    sleep_ms(1);
    if (fired != before + 1) fail("a one-shot timer fired %d times", fired - before);
    EXPECT(!timer_delete(t));
    sent++;
  }
}

static void setup(void) {
  struct sigaction a = {.sa_handler = on_directed, .sa_flags = SA_RESTART};
  sigaction(SIGRTMIN + 1, &a, NULL);
  start_thread(idle, NULL);
  WAIT_FOR(target);
  start_thread(once, NULL);
  WAIT_FOR(sent > 2);
}

static void verify(void) {
  timer_t by_thread = make(SIGEV_THREAD, on_thread, 5000000, 5000000), to_thread = make(SIGEV_THREAD_ID, NULL, 5000000, 5000000);
  int a = threads, b = directed, c = sent;
  WAIT_FOR(threads > a + 3);
  WAIT_FOR(directed > b + 3);
  WAIT_FOR(sent > c + 3 || failed_once);
  struct itimerspec s;
  EXPECT(!timer_gettime(by_thread, &s) && s.it_interval.tv_nsec == 5000000);
  EXPECT(!timer_delete(by_thread) && !timer_delete(to_thread));
  EXPECT(timer_gettime(by_thread, &s) && errno == EINVAL);
}
