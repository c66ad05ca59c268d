// Threads that are in the vDSO nearly all the time (clock_gettime, gettimeofday, time, getcpu): wherever the stop finds
// them, they go on, and the clocks do not go back.
#include <sched.h>
#include <sys/time.h>

#include "subject.h"

static atomic_long rounds[4];

static void *worker(void *argument) {
  long me = (long)argument;
  int64_t last = 0;
  for (;; rounds[me]++) {
    struct timeval t;
    if (me == 0) {
      int64_t now = now_ns(CLOCK_MONOTONIC);
      if (now < last) fail("CLOCK_MONOTONIC went back by %ld ns", (long)(last - now));
      last = now;
    } else if (me == 1) {
      gettimeofday(&t, NULL);
      if (t.tv_sec < 1000000000) fail("gettimeofday gives %ld", (long)t.tv_sec);
    } else if (me == 2) {
      if (time(NULL) < 1000000000) fail("time");
    } else if (sched_getcpu() < 0) {
      fail("sched_getcpu: %s", strerror(errno));
    }
  }
}

static void setup(void) {
  for (long i = 0; i < 4; ++i) start_thread(worker, (void *)i);
}

static void verify(void) {
  for (int i = 0; i < 4; ++i) {
    long before = rounds[i];
    WAIT_FOR(rounds[i] > before + 10000);
  }
}
