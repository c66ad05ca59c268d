// A thread that ends with a robust mutex in its hands after the restart leaves EOWNERDEAD, not a hang; the kernel knows its list.
#include "subject.h"

static pthread_mutex_t lock;
static atomic_int held, leave;

static void *holder(void *unused) {
  EXPECT_EQ(pthread_mutex_lock(&lock), 0);
  held = 1;
  while (!leave) sleep_ms(1);
  return NULL;  // without unlocking
}

static pthread_t thread;

static void begin(void) {
  held = leave = 0;
  thread = start_thread(holder, NULL);
  WAIT_FOR(held);
}

static void setup(void) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&lock, &a);
  begin();
}

static void verify(void) {
  void *head = NULL;
  size_t size = 0;
  EXPECT(!syscall(SYS_get_robust_list, 0, &head, &size));
  EXPECT(head && size == 24);
  EXPECT_EQ(pthread_mutex_trylock(&lock), EBUSY);
  leave = 1;
  pthread_join(thread, NULL);
  EXPECT_EQ(pthread_mutex_lock(&lock), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(&lock), 0);
  EXPECT_EQ(pthread_mutex_unlock(&lock), 0);
  begin();
}
