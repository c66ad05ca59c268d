// Memory that processes share: mutexes, a robust one of a dead holder, one held across, a condition, a semaphore, a
// barrier, a futex, in anonymous memory; a memfd that all map, and one that only a child maps a part of.
#include "members.h"

#include <linux/futex.h>
#include <semaphore.h>

enum { kCount = 1, kWaitSignal, kSignalled, kLockRobust, kDie, kHold, kRelease, kMeet, kFutex, kWoken, kMemfd };
enum { kProcesses = 3, kSize = 300000 };

static struct Common {
  pthread_mutex_t plain, robust, held;
  pthread_cond_t condition;
  pthread_barrier_t barrier;
  sem_t semaphore;
  long counter;
  int ready;
  uint32_t word;
  char data[kSize];
} *common;
static char *file, *part;
static pthread_t waiter;
static int memory;

static void count(void) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&common->plain);
    ++common->counter;
    pthread_mutex_unlock(&common->plain);
  }
}
static void *wait_signal(void *unused) {
  pthread_mutex_lock(&common->plain);
  while (!common->ready) pthread_cond_wait(&common->condition, &common->plain);
  pthread_mutex_unlock(&common->plain);
  EXPECT(!sem_wait(&common->semaphore));
  return unused;
}
static void *wait_futex(void *unused) {
  while (__atomic_load_n(&common->word, __ATOMIC_ACQUIRE) == 0) syscall(SYS_futex, &common->word, FUTEX_WAIT, 0, NULL);
  return unused;
}

static void serve(int order) {
  switch (order % 100) {
    case kCount: count(); break;
    case kWaitSignal: waiter = start_thread(wait_signal, NULL); break;
    case kFutex: waiter = start_thread(wait_futex, NULL); break;
    case kSignalled:
    case kWoken: pthread_join(waiter, NULL); break;
    case kHold: EXPECT_EQ(pthread_mutex_lock(&common->held), 0); break;
    case kRelease: EXPECT_EQ(pthread_mutex_unlock(&common->held), 0); break;
    case kMeet: pthread_barrier_wait(&common->barrier); break;
    case kLockRobust: EXPECT_EQ(pthread_mutex_lock(&common->robust), 0); break;
    case kDie: _exit(0);
    case kMemfd:
      if (!part) part = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 16 << 12);
      EXPECT(part != MAP_FAILED);
      part[5000]++;
      file[1]++;
      break;
  }
}

static void make_common(void) {
  pthread_mutexattr_t m;
  pthread_condattr_t c;
  pthread_barrierattr_t b;
  common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(common != MAP_FAILED);
  pthread_mutexattr_init(&m), pthread_condattr_init(&c), pthread_barrierattr_init(&b);
  pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
  pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
  EXPECT(!pthread_mutex_init(&common->plain, &m) && !pthread_cond_init(&common->condition, &c));
  EXPECT(!pthread_barrier_init(&common->barrier, &b, kProcesses) && !sem_init(&common->semaphore, 1, 0));
  pthread_mutexattr_settype(&m, PTHREAD_MUTEX_ERRORCHECK);
  EXPECT(!pthread_mutex_init(&common->held, &m));
  pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
  EXPECT(!pthread_mutex_init(&common->robust, &m));
  fill(common->data, kSize, 5);
}

/// A holder of the robust mutex, alive over the restart.
static void start_holder(void) {
  start_member(2, serve);
  ask_member(2, kLockRobust);
}
static void end_holder(void) {
  order_member(2, next_order(kDie));
  EXPECT_EQ(waitpid(members[2].pid, NULL, 0), members[2].pid);
  if (failed_once) return;
  atomic_store(&members[2].done, atomic_load(&members[2].order));
  EXPECT_EQ(pthread_mutex_lock(&common->robust), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(&common->robust), 0);
  EXPECT_EQ(pthread_mutex_unlock(&common->robust), 0);
}

static void begin_waiting(void) {
  common->ready = common->word = 0;
  ask_member(0, kWaitSignal);
  ask_member(1, kFutex);
}

static void setup(void) {
  make_common();
  memory = memfd_create("common", 0);
  EXPECT(memory >= 0 && !ftruncate(memory, 40 << 12));
  file = mmap(NULL, 40 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  EXPECT(file != MAP_FAILED);
  fill(file, 40 << 12, 9);
  file[1] = 0, file[(16 << 12) + 5000] = 0;
  start_member(0, serve);
  start_member(1, serve);
  close(memory);
  ask_member(1, kHold);
  start_holder();
  begin_waiting();
}

static void verify(void) {
  EXPECT_EQ(first_wrong(common->data, kSize, 5), -1);
  EXPECT_EQ(pthread_mutex_trylock(&common->held), EBUSY);
  EXPECT_EQ(pthread_mutex_trylock(&common->robust), EBUSY);
  end_holder();
  ask_member(1, kRelease);
  EXPECT_EQ(pthread_mutex_lock(&common->held), 0);
  EXPECT_EQ(pthread_mutex_unlock(&common->held), 0);
  pthread_mutex_lock(&common->plain);
  common->ready = 1;
  pthread_cond_broadcast(&common->condition);
  pthread_mutex_unlock(&common->plain);
  EXPECT(!sem_post(&common->semaphore));
  ask_member(0, kSignalled);
  __atomic_store_n(&common->word, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &common->word, FUTEX_WAKE, 1);
  ask_member(1, kWoken);
  common->counter = 0;
  order_member(0, next_order(kCount));
  order_member(1, next_order(kCount));
  count();
  await_member(0);
  await_member(1);
  EXPECT_EQ(common->counter, 3000);
  order_member(0, next_order(kMeet));
  order_member(1, next_order(kMeet));
  pthread_barrier_wait(&common->barrier);
  await_member(0);
  await_member(1);
  EXPECT_EQ(file[1], (char)(2 * generation));
  ask_member(0, kMemfd);
  ask_member(1, kMemfd);
  EXPECT_EQ(file[1], (char)(2 * generation + 2));
  EXPECT_EQ(file[(16 << 12) + 5000], (char)(2 * generation + 2));
  ask_member(1, kHold);
  start_holder();
  begin_waiting();
}
