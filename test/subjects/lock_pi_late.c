// The first mutexes with priority inheritance are made after a restart: by threads whose tids are no longer their own,
// locked against each other at once, and held across the next restart.
// mig-test: generations=3
#include "subject.h"

enum { kThreads = 3 };
static pthread_mutex_t *mutex, other = PTHREAD_MUTEX_INITIALIZER;
static atomic_int turn, locked[kThreads], leave;
static long counted;

static void *locker(void *argument) {
  long me = (long)argument;
  for (int round = 1;; ++round) {
    while (turn < round) sleep_ms(1);
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(pthread_mutex_lock(mutex), 0);
      long before = counted;
      if (i % 16 == 0) sleep_ms(1);
      counted = before + 1;
      EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
      EXPECT_EQ(pthread_mutex_lock(&other), 0);
      EXPECT_EQ(pthread_mutex_unlock(&other), 0);
    }
    if (me) {
      locked[me] = round;
      continue;
    }
    for (int i = 1; i < kThreads; ++i) WAIT_FOR(locked[i] == round);
    EXPECT_EQ(pthread_mutex_lock(mutex), 0);
    locked[me] = round;
    while (leave < round) sleep_ms(1);
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
  }
}

static void setup(void) {
  for (long i = 0; i < kThreads; ++i) start_thread(locker, (void *)i);
  sleep_ms(20);
}

static void verify(void) {
  if (mutex) {
    EXPECT_EQ(pthread_mutex_trylock(mutex), EBUSY);
    leave++;
    EXPECT_EQ(pthread_mutex_lock(mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
    EXPECT_EQ(pthread_mutex_destroy(mutex), 0);
    free(mutex);
  }
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  mutex = malloc(sizeof *mutex);
  pthread_mutex_init(mutex, &a);
  counted = 0;
  turn++;
  for (int i = 0; i < kThreads; ++i) WAIT_FOR(locked[i] == turn);
  EXPECT_EQ(counted, kThreads * 200);
}
