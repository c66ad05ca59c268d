// A relative sleep begun before the checkpoint ends when its time is over as the program counts it: not at once, and
// without starting again from the beginning.
// mig-test: shaken
#include <poll.h>

#include "subject.h"

static atomic_int done[2];
static int64_t begun[2], ended[2];
static const int64_t kSpan = 2500000000;

static void *worker(void *argument) {
  long me = (long)argument;
  for (;;) {
    begun[me] = now_ns(CLOCK_MONOTONIC);
    if (me == 0) {
      struct timespec t = {2, 500000000};
      EXPECT_EQ(nanosleep(&t, NULL), 0);
    } else {
      EXPECT_EQ(poll(NULL, 0, 2500), 0);
    }
    ended[me] = now_ns(CLOCK_MONOTONIC);
    done[me]++;
    while (done[me] > generation + 1) sleep_ms(1);
    while (done[me] == generation + 1) sleep_ms(1);
  }
}

static void setup(void) {
  for (long i = 0; i < 2; ++i) start_thread(worker, (void *)i);
  sleep_ms(800);
}

static void verify(void) {
  for (int i = 0; i < 2; ++i) {
    for (int ms = 0; ms < 4000 && done[i] == generation; ++ms) sleep_ms(1);
    EXPECT_EQ(done[i], generation + 1);
    EXPECT(ended[i] - begun[i] >= kSpan - 5000000);
    EXPECT(ended[i] - begun[i] < kSpan + 1700000000);
  }
}
