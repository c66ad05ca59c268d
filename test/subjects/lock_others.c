// Read-write locks, barriers, semaphores, condition variables and spin locks in use across the restart.
#include <semaphore.h>

#include "subject.h"

static pthread_rwlock_t read_locked = PTHREAD_RWLOCK_INITIALIZER, write_locked = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore, counted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_spinlock_t spin;
static atomic_int passed[4];
static int flag;

static void *writer(void *unused) {
  for (;;) {
    EXPECT_EQ(pthread_rwlock_wrlock(&read_locked), 0);
    passed[0]++;
    EXPECT_EQ(pthread_rwlock_unlock(&read_locked), 0);
    sem_wait(&counted);
  }
}
static void *barrier_waiter(void *unused) {
  for (;;) {
    int r = pthread_barrier_wait(&barrier);
    EXPECT(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
    passed[1]++;
  }
}
static void *semaphore_waiter(void *unused) {
  for (;;) {
    EXPECT(!sem_wait(&semaphore));
    passed[2]++;
  }
}
static void *condition_waiter(void *unused) {
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (!flag) EXPECT_EQ(pthread_cond_wait(&condition, &mutex), 0);
    flag = 0;
    passed[3]++;
  }
}

static void setup(void) {
  pthread_barrier_init(&barrier, NULL, 3);
  sem_init(&semaphore, 0, 0);
  sem_init(&counted, 0, 0);
  pthread_spin_init(&spin, 0);
  pthread_spin_lock(&spin);
  pthread_rwlock_rdlock(&read_locked);
  pthread_rwlock_wrlock(&write_locked);
  start_thread(writer, NULL);
  start_thread(barrier_waiter, NULL);
  start_thread(barrier_waiter, NULL);
  start_thread(semaphore_waiter, NULL);
  start_thread(condition_waiter, NULL);
  sleep_ms(50);
}

static void verify(void) {
  int n = generation;
  EXPECT_EQ(passed[0], n);
  EXPECT_EQ(passed[1], 2 * n);
  EXPECT_EQ(pthread_rwlock_trywrlock(&read_locked), EBUSY);
  EXPECT_EQ(pthread_rwlock_tryrdlock(&write_locked), EBUSY);
  EXPECT_EQ(pthread_rwlock_wrlock(&write_locked), EDEADLK);
  EXPECT_EQ(pthread_spin_trylock(&spin), EBUSY);
  EXPECT_EQ(pthread_rwlock_unlock(&read_locked), 0);
  WAIT_FOR(passed[0] == n + 1);
  EXPECT_EQ(pthread_rwlock_rdlock(&read_locked), 0);
  sem_post(&counted);
  pthread_barrier_wait(&barrier);
  WAIT_FOR(passed[1] == 2 * n + 2);
  sem_post(&semaphore);
  WAIT_FOR(passed[2] == n + 1);
  pthread_mutex_lock(&mutex);
  flag = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
  WAIT_FOR(passed[3] == n + 1);
  sleep_ms(30);
}
