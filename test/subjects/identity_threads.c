// Threads born after a restart: no two live threads ever have the same number, by gettid, by the kernel's view through
// wrappers, by locks; numbers of ended threads are free again; pthread functions reach the right thread.
#include <sched.h>

#include "subject.h"

enum { kOld = 3, kNew = 300 };
static pid_t old_tids[kOld];
static atomic_int born, stay;

static void *old_thread(void *argument) {
  old_tids[(long)argument] = gettid();
  born++;
  for (;;) sleep_ms(50);
}

static void *new_thread(void *result) {
  pthread_mutex_t m;
  pthread_mutexattr_t a;
  pid_t tid = gettid();
  *(pid_t *)result = tid;
  EXPECT_EQ(syscall(SYS_gettid), tid);
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&m, &a);
  pthread_mutex_lock(&m);
  EXPECT_EQ(pthread_mutex_lock(&m), EDEADLK);
  EXPECT_EQ(pthread_mutex_unlock(&m), 0);
  EXPECT_EQ(syscall(SYS_tgkill, getpid(), tid, 0), 0);
  EXPECT_EQ(sched_getscheduler(tid), SCHED_OTHER);
  born++;
  while (stay) sleep_ms(1);
  return NULL;
}

static void many(int count) {
  pthread_t threads[kNew];
  pid_t tids[kNew];
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 16384);
  born = 0;
  stay = 1;
  for (int i = 0; i < count; ++i) EXPECT_EQ(pthread_create(&threads[i], &a, new_thread, &tids[i]), 0);
  WAIT_FOR(born == count);
  for (int i = 0; i < count; ++i) {
    char name[16];
    EXPECT(tids[i] != getpid());
    for (int j = 0; j < i; ++j) EXPECT(tids[i] != tids[j]);
    for (int j = 0; j < kOld; ++j) EXPECT(tids[i] != old_tids[j]);
    EXPECT_EQ(pthread_kill(threads[i], 0), 0);
    EXPECT_EQ(pthread_setname_np(threads[i], "renamed"), 0);
    EXPECT_EQ(pthread_getname_np(threads[i], name, sizeof name), 0);
    EXPECT_STR(name, "renamed");
  }
  stay = 0;
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
}

static void setup(void) {
  for (long i = 0; i < kOld; ++i) start_thread(old_thread, (void *)i);
  WAIT_FOR(born == kOld);
}

static void verify(void) {
  many(kNew);
  for (int i = 0; i < kOld; ++i) EXPECT_EQ(syscall(SYS_tgkill, getpid(), old_tids[i], 0), 0);
  for (int i = 0; i < 20; ++i) many(50);
}
