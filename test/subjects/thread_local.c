// Thread-local variables of both models, thread-specific data and its destructors, errno.
#include "subject.h"

enum { kThreads = 5 };
static __thread int local = 3;
static __thread char zeroed[5000];
static pthread_key_t key;
static atomic_int look, answered, destroyed, leave, ended;

static void destroy(void *value) {
  if (value) atomic_fetch_add(&destroyed, 1);
}

static void *worker(void *argument) {
  long me = (long)argument;
  int round = 0;
  local += me, zeroed[4999] = me;
  pthread_setspecific(key, (void *)(me + 100));
  while (leave != me) {
    errno = 77;
    if (look > round) {
      EXPECT_EQ(local, 3 + me + round);
      EXPECT_EQ(zeroed[4999], me);
      EXPECT_EQ(pthread_getspecific(key), me + 100);
      ++local, ++round;
      atomic_fetch_add(&answered, 1);
    }
    struct timespec t = {0, 1000000};
    errno = 77;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    EXPECT_EQ(errno, 77);
  }
  atomic_fetch_add(&ended, 1);
  return NULL;
}

static void setup(void) {
  pthread_key_create(&key, destroy);
  pthread_setspecific(key, (void *)1);
  leave = -1;
  for (long i = 0; i < kThreads; ++i) start_thread(worker, (void *)i);
}

static void verify(void) {
  answered = 0;
  atomic_fetch_add(&look, 1);
  WAIT_FOR(answered == kThreads - generation);
  leave = generation;
  WAIT_FOR(ended == generation + 1 && destroyed == generation + 1);
  EXPECT_EQ(pthread_getspecific(key), 1);
}
