// A thousand threads, half of them busy now and then, half asleep on a condition variable.
// mig-test: timeout=120
#include "subject.h"

enum { kThreads = 1000 };
static atomic_int count[kThreads];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *worker(void *argument) {
  long me = (long)argument;
  int seen = 0;
  pthread_mutex_lock(&lock);
  for (;;) {
    while (turn == seen) pthread_cond_wait(&changed, &lock);
    seen = turn;
    atomic_fetch_add(&count[me], 1);
  }
}

static void setup(void) {
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 64 << 10);
  for (long i = 0; i < kThreads; ++i) {
    int error = pthread_create(&thread, &attr, worker, (void *)i);
    if (error) fail("pthread_create of thread %ld: %s", i, strerror(error));
  }
}

static void verify(void) {
  pthread_mutex_lock(&lock);
  ++turn;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < kThreads; ++i) WAIT_FOR(count[i] == generation + 1);
}
