// Calls that wait until a time of CLOCK_MONOTONIC or BOOTTIME, begun before and after a restart: each ends when the program's
// own clock says so, by whatever function the deadline is given.
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/timerfd.h>

#include "subject.h"

static const int64_t kTime = 400000000;
static atomic_int timer_signals;
static pthread_cond_t monotonic_condition;
static int word;

static struct timespec at(int64_t ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }
static int expect_timeout(int error) { return error == ETIMEDOUT ? 0 : error ? error : -1; }

static int cond_timedwait(struct timespec t) {
  static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&m);
  int r = pthread_cond_timedwait(&monotonic_condition, &m, &t);
  pthread_mutex_unlock(&m);
  return expect_timeout(r);
}
static int cond_clockwait(struct timespec t) {
  static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
  pthread_mutex_lock(&m);
  int r = pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &t);
  pthread_mutex_unlock(&m);
  return expect_timeout(r);
}
static int mutex_clocklock(struct timespec t) {
  static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_trylock(&m);
  return expect_timeout(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &t));
}
static pthread_rwlock_t held = PTHREAD_RWLOCK_INITIALIZER;
static int clockrdlock(struct timespec t) { return expect_timeout(pthread_rwlock_clockrdlock(&held, CLOCK_MONOTONIC, &t)); }
static int clockwrlock(struct timespec t) { return expect_timeout(pthread_rwlock_clockwrlock(&held, CLOCK_MONOTONIC, &t)); }
static int semaphore(struct timespec t) {
  static sem_t s;
  return sem_clockwait(&s, CLOCK_MONOTONIC, &t) ? expect_timeout(errno) : -1;
}
static int sleep_until(struct timespec t) { return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL); }
static int sleep_until_boottime(struct timespec t) {
  int64_t monotonic = now_ns(CLOCK_MONOTONIC), lead = now_ns(CLOCK_BOOTTIME) - monotonic;
  t = at(t.tv_sec * 1000000000LL + t.tv_nsec + lead);
  return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL);
}
static int futex_until(struct timespec t) {
  return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, ~0) ? expect_timeout(errno) : -1;
}
static int timer_descriptor(struct timespec t) {
  struct itimerspec s = {.it_value = t};
  uint64_t n = 0;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  int r = timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL) || read(fd, &n, 8) != 8 || n != 1 ? errno + 1000 : 0;
  close(fd);
  return r;
}
static void on_timer(union sigval v) { timer_signals++; }
static int posix_timer(struct timespec t) {
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer};
  struct itimerspec s = {.it_value = t};
  timer_t timer;
  int before = timer_signals;
  if (timer_create(CLOCK_MONOTONIC, &e, &timer)) return errno;
  if (timer_settime(timer, TIMER_ABSTIME, &s, NULL)) return errno;
  for (int ms = 0; ms < 5000 && timer_signals == before; ++ms) sleep_ms(1);
  return timer_delete(timer) || timer_signals != before + 1 ? 1 : 0;
}

static struct call {
  const char *name;
  int (*wait)(struct timespec);
  atomic_int done;
} calls[] = {{"pthread_cond_timedwait", cond_timedwait}, {"pthread_cond_clockwait", cond_clockwait},
             {"pthread_mutex_clocklock", mutex_clocklock}, {"pthread_rwlock_clockrdlock", clockrdlock},
             {"pthread_rwlock_clockwrlock", clockwrlock}, {"sem_clockwait", semaphore},
             {"clock_nanosleep", sleep_until}, {"clock_nanosleep of BOOTTIME", sleep_until_boottime},
             {"futex", futex_until}, {"timerfd_settime", timer_descriptor}, {"timer_settime", posix_timer}};
enum { kCount = sizeof calls / sizeof *calls };

static void *worker(void *argument) {
  struct call *c = argument;
  for (;;) {
    int64_t end = now_ns(CLOCK_MONOTONIC) + kTime;
    int r = c->wait(at(end));
    int64_t late = now_ns(CLOCK_MONOTONIC) - end;
    if (r) fail("%s: %s", c->name, strerror(r));
    if (late < 0) fail("%s: early by %ld us", c->name, (long)(-late / 1000));
    if (late > 5000000000) fail("%s: late by %ld ms", c->name, (long)(late / 1000000));
    c->done++;
  }
}

static void setup(void) {
  pthread_condattr_t a;
  pthread_condattr_init(&a);
  pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
  pthread_cond_init(&monotonic_condition, &a);
  pthread_rwlock_wrlock(&held);
  for (int i = 0; i < kCount; ++i) start_thread(worker, &calls[i]);
  sleep_ms(100);
}

static void verify(void) {
  int before[kCount];
  for (int i = 0; i < kCount; ++i) before[i] = calls[i].done;
  for (int i = 0; i < kCount; ++i) WAIT_FOR(calls[i].done > before[i] + 1 || failed_once);
}
