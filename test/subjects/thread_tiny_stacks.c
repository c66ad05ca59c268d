// Threads with the smallest stacks: 16 KiB, a good part of it in use, and the smallest alternate signal stacks.
#include "subject.h"

enum { kThreads = 8 };
static atomic_int look, answered, handled;

static void on_signal(int n) { atomic_fetch_add(&handled, 1); }

static void idle(int depth) {
  volatile char frame[512];
  frame[0] = depth;
  if (depth) {
    idle(depth - 1);
    EXPECT_EQ(frame[0], depth);
    return;
  }
  for (int round = 0; round < 1000; ++round) {
    while (look <= round) sleep_ms(1);
    raise(SIGUSR1);
    atomic_fetch_add(&answered, 1);
  }
}

static void *worker(void *argument) {
  static char stacks[kThreads][2048];
  stack_t s = {.ss_sp = stacks[(long)argument], .ss_size = 2048};
  sigaltstack(&s, NULL);  // smaller than the kernel needs on some machines: then it says so and there is none
  idle(argument ? 4 : 0);
  return NULL;
}

static void setup(void) {
  struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &a, NULL);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 16384);
  for (long i = 0; i < kThreads; ++i) {
    pthread_t t;
    EXPECT(!pthread_create(&t, &attr, worker, (void *)i));
  }
}

static void verify(void) {
  answered = handled = 0;
  atomic_fetch_add(&look, 1);
  WAIT_FOR(answered == kThreads);
  EXPECT_EQ(handled, kThreads);
}
