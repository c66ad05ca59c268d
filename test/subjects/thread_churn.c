// Threads begin and end all the time while checkpoints come.
// mig-test: allocators
#include "subject.h"

static atomic_long made;
static __thread int mine;

static void *brief(void *argument) {
  mine = (int)(long)argument;
  for (volatile int i = 0; i < 2000; ++i) {
  }
  return (void *)(long)mine;
}

static void *maker(void *unused) {
  for (long n = 0;; ++n) {
    pthread_t t[4];
    void *back = NULL;
    for (int i = 0; i < 4; ++i) {
      int error = pthread_create(&t[i], NULL, brief, (void *)(n + i));
      if (error) fail("pthread_create: %s", strerror(error)), sleep(1);
    }
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(pthread_join(t[i], &back), 0);
      EXPECT_EQ(back, (int)(n + i));
    }
    atomic_fetch_add(&made, 4);
  }
}

static void setup(void) {
  for (int i = 0; i < 2; ++i) start_thread(maker, NULL);
}

static void verify(void) {
  long before = made;
  WAIT_FOR(made > before + 100);
}
