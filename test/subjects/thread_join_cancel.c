// A thread that waits in pthread_join, threads with each cancellation state, and pthread_cancel, pthread_kill and
// pthread_join of threads that were born before the restart. Clean-up handlers run.
#include "subject.h"

static atomic_int cleaned, joined, killed, end_waited;

static void cleanup(void *unused) { atomic_fetch_add(&cleaned, 1); }
static void on_usr2(int n) { atomic_fetch_add(&killed, 1); }

static void *deferred(void *unused) {
  pthread_cleanup_push(cleanup, NULL);
  for (;;) sleep_ms(50);
  pthread_cleanup_pop(1);
}

static void *disabled(void *unused) {
  int old = -1;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cleanup_push(cleanup, NULL);
  for (int i = 0; i < 100; ++i) sleep_ms(5);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
  EXPECT_EQ(old, PTHREAD_CANCEL_DISABLE);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  for (;;) sleep_ms(50);
  pthread_cleanup_pop(1);
}

static void *asynchronous(void *unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(cleanup, NULL);
  for (;;) {
  }
  pthread_cleanup_pop(1);
}

static void *waited_for(void *unused) {
  while (!end_waited) sleep_ms(1);
  return (void *)99;
}

static void *joiner(void *thread) {
  void *back = NULL;
  EXPECT_EQ(pthread_join(*(pthread_t *)thread, &back), 0);
  EXPECT_EQ(back, 99);
  joined = 1;
  return NULL;
}

static pthread_t t[5], target;

static void begin(void) {
  cleaned = joined = killed = end_waited = 0;
  t[0] = start_thread(deferred, NULL);
  t[1] = start_thread(disabled, NULL);
  t[2] = start_thread(asynchronous, NULL);
  target = start_thread(waited_for, NULL);
  t[3] = start_thread(joiner, &target);
  sleep_ms(50);
}

static void setup(void) {
  struct sigaction a = {.sa_handler = on_usr2, .sa_flags = SA_RESTART};
  sigaction(SIGUSR2, &a, NULL);
  begin();
}

static void verify(void) {
  void *back;
  EXPECT_EQ(pthread_kill(t[0], 0), 0);
  EXPECT_EQ(pthread_kill(t[0], SIGUSR2), 0);
  WAIT_FOR(killed == 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pthread_cancel(t[i]), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pthread_join(t[i], &back), 0);
    EXPECT(back == PTHREAD_CANCELED);
  }
  EXPECT_EQ(cleaned, 3);
  EXPECT_EQ(joined, 0);
  end_waited = 1;
  EXPECT_EQ(pthread_join(t[3], NULL), 0);
  EXPECT_EQ(joined, 1);
  begin();
}
