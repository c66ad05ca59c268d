// Mutexes with priority inheritance of every type: the kernel looks their owner up by the tid in their word. Held and
// waited for across the restart, locked at every moment of it, waited for with condition variables, left by owners
// that die or are cancelled.
// mig-test: generations=3
#include "subject.h"

enum { kTypes = 7, kHammers = 3 };
static const struct {
  const char *name;
  int type, robust;
} types[kTypes] = {{"normal", PTHREAD_MUTEX_NORMAL, 0},        {"recursive", PTHREAD_MUTEX_RECURSIVE, 0},
                   {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0}, {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, 0},
                   {"robust normal", PTHREAD_MUTEX_NORMAL, 1},  {"robust recursive", PTHREAD_MUTEX_RECURSIVE, 1},
                   {"robust errorcheck", PTHREAD_MUTEX_ERRORCHECK, 1}};
static pthread_mutex_t lock[kTypes];
static atomic_int owned[kTypes], give[kTypes], got[kTypes];

#define CHECK(call, wanted)                                                                                   \
  do {                                                                                                        \
    int r_ = (call);                                                                                          \
    if (r_ != (wanted))                                                                                       \
      fail("%s mutex, line %d: %s gives %s, not %s", types[i].name, __LINE__, #call, strerror(r_), strerror(wanted)); \
  } while (0)

static void make(pthread_mutex_t *mutex, int i) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, types[i].type);
  CHECK(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
  if (types[i].robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  CHECK(pthread_mutex_init(mutex, &a), 0);
  pthread_mutexattr_destroy(&a);
}

// Held and waited for.

static void *owner(void *argument) {
  long i = (long)argument;
  for (int round = 1;; ++round) {
    CHECK(pthread_mutex_lock(&lock[i]), 0);
    owned[i] = round;
    while (give[i] < round) sleep_ms(1);
    if (types[i].type == PTHREAD_MUTEX_RECURSIVE) {
      CHECK(pthread_mutex_lock(&lock[i]), 0);
      CHECK(pthread_mutex_unlock(&lock[i]), 0);
    }
    if (types[i].type == PTHREAD_MUTEX_ERRORCHECK) CHECK(pthread_mutex_lock(&lock[i]), EDEADLK);
    CHECK(pthread_mutex_unlock(&lock[i]), 0);
    while (got[i] < 2 * round) sleep_ms(1);
  }
}

static void *waiter(void *argument) {
  long i = (long)argument % kTypes, timed = (long)argument / kTypes;
  for (int round = 1;; ++round) {
    while (owned[i] < round) sleep_ms(1);
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 3600;
    CHECK(timed ? pthread_mutex_timedlock(&lock[i], &end) : pthread_mutex_lock(&lock[i]), 0);
    if (types[i].type == PTHREAD_MUTEX_RECURSIVE) {
      CHECK(pthread_mutex_lock(&lock[i]), 0);
      CHECK(pthread_mutex_unlock(&lock[i]), 0);
    }
    got[i]++;
    CHECK(pthread_mutex_unlock(&lock[i]), 0);
    while (got[i] < 2 * round) sleep_ms(1);
  }
}

static void give_all(int round) {
  for (int i = 0; i < kTypes; ++i) {
    CHECK(pthread_mutex_trylock(&lock[i]), EBUSY);
    if (types[i].type != PTHREAD_MUTEX_NORMAL || types[i].robust) CHECK(pthread_mutex_unlock(&lock[i]), EPERM);
    give[i] = round;
  }
  for (int i = 0; i < kTypes; ++i) {
    WAIT_FOR(got[i] == 2 * round);
    if (got[i] != 2 * round) fail("%d of the 2 threads blocked on the %s mutex got it", got[i] - 2 * round + 2, types[i].name);
  }
}

// Locked at every moment: two mutexes, numbers that must change together.

static pthread_mutex_t hot[2];
static volatile long number[2];
static atomic_int pause_hammers;
static atomic_long turns[kHammers];

static void *hammer(void *argument) {
  long me = (long)argument;
  for (unsigned n = 0;; ++n) {
    int i = n & 1, r = pthread_mutex_lock(&hot[i]);
    if (r && r != EOWNERDEAD) fail("hammer %ld: lock: %s", me, strerror(r));
    long before = number[i];
    if (n % 64 == 0) sched_yield();
    number[i] = before + 1;
    turns[me]++;
    if ((r = pthread_mutex_unlock(&hot[i]))) fail("hammer %ld: unlock: %s", me, strerror(r));
    if (n % 256 == 0) sleep_ms(1);
    while (pause_hammers) sleep_ms(1);
  }
}

static void look_at_hammers(void) {
  long before[kHammers];
  for (int i = 0; i < kHammers; ++i) before[i] = turns[i];
  for (int i = 0; i < kHammers; ++i) WAIT_FOR(turns[i] > before[i] + 500);
  pause_hammers = 1;
  sleep_ms(20);
  long sum = 0;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(pthread_mutex_lock(&hot[i]), 0);
  for (int i = 0; i < kHammers; ++i) sum += turns[i];
  EXPECT_EQ(number[0] + number[1], sum);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(pthread_mutex_unlock(&hot[i]), 0);
  pause_hammers = 0;
}

// Locked and unlocked as fast as can be: a thread is nearly always inside libc's code of mutexes.

static pthread_mutex_t busy;
static atomic_int rest;

static void *busy_thread(void *unused) {
  for (;;) {
    EXPECT_EQ(pthread_mutex_lock(&busy), 0);
    EXPECT_EQ(pthread_mutex_unlock(&busy), 0);
    while (rest) sleep_ms(1);
  }
}
static void look_at_busy(void) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(pthread_mutex_lock(&busy), 0);
    EXPECT_EQ(pthread_mutex_unlock(&busy), 0);
  }
}

// A recursive one, held from generation to generation after it was got by a wait for a condition.

static pthread_mutex_t kept;
static pthread_cond_t keep = PTHREAD_COND_INITIALIZER;
static atomic_int keep_round, released, keeper_waits, signals;

static void *keeper(void *unused) {
  EXPECT_EQ(pthread_mutex_lock(&kept), 0);
  for (int round = 1;; ++round) {
    keeper_waits = round;
    while (keep_round < round) EXPECT_EQ(pthread_cond_wait(&keep, &kept), 0);
    EXPECT_EQ(pthread_mutex_lock(&kept), 0);
    EXPECT_EQ(pthread_mutex_unlock(&kept), 0);
    while (released < round) sleep_ms(1);
  }
}

static void on_signal(int unused) { signals++; }

/// Odd rounds: the keeper waits for its condition; even ones: it holds the mutex.
static void look_at_keeper(pthread_t thread) {
  struct timespec soon;
  if (keeper_waits > keep_round) {
    int before = signals;
    EXPECT_EQ(pthread_kill(thread, SIGUSR1), 0);
    WAIT_FOR(signals == before + 1);
    EXPECT_EQ(pthread_mutex_lock(&kept), 0);
    keep_round++;
    pthread_cond_signal(&keep);
    EXPECT_EQ(pthread_mutex_unlock(&kept), 0);
  } else {
    EXPECT_EQ(pthread_mutex_trylock(&kept), EBUSY);
    released++;
    WAIT_FOR(keeper_waits == released + 1);
  }
  sleep_ms(20);
  if (keeper_waits > keep_round) return;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec = (soon.tv_nsec + 30000000) % 1000000000;
  if (soon.tv_nsec < 30000000) soon.tv_sec++;
  int result = pthread_mutex_timedlock(&kept, &soon);
  if (!result) {  // only a keeper that waits for its condition has let go of the mutex
    EXPECT(keeper_waits > keep_round);
    EXPECT_EQ(pthread_mutex_unlock(&kept), 0);
    return;
  }
  EXPECT_EQ(result, ETIMEDOUT);
  EXPECT_EQ(pthread_mutex_unlock(&kept), EPERM);
}

// A wait for a condition that is cancelled: its cleanup handler unlocks, and locks of other kinds know their owner.

static pthread_mutex_t around, plain;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static atomic_int waits, cleaned;

static void clean_up(void *unused) {
  EXPECT_EQ(pthread_mutex_unlock(&around), 0);
  EXPECT_EQ(pthread_mutex_unlock(&plain), 0);
  cleaned = 1;
}
static void *cancelled(void *unused) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 3600;
  EXPECT_EQ(pthread_mutex_lock(&plain), 0);
  EXPECT_EQ(pthread_mutex_lock(&around), 0);
  waits = 1;
  pthread_cleanup_push(clean_up, NULL);
  for (;;) generation % 2 ? pthread_cond_timedwait(&never, &around, &end) : pthread_cond_wait(&never, &around);
  pthread_cleanup_pop(0);
  return NULL;
}
static pthread_t start_cancelled(void) {
  waits = cleaned = 0;
  pthread_t thread = start_thread(cancelled, NULL);
  WAIT_FOR(waits);
  EXPECT_EQ(pthread_mutex_lock(&around), 0);  // it has begun to wait
  EXPECT_EQ(pthread_mutex_unlock(&around), 0);
  return thread;
}
static void cancel(pthread_t thread) {
  void *result = NULL;
  EXPECT_EQ(pthread_cancel(thread), 0);
  EXPECT_EQ(pthread_join(thread, &result), 0);
  EXPECT(result == PTHREAD_CANCELED);
  EXPECT(cleaned);
  EXPECT_EQ(pthread_mutex_trylock(&around), 0);
  EXPECT_EQ(pthread_mutex_trylock(&plain), 0);
  EXPECT_EQ(pthread_mutex_unlock(&around), 0);
  EXPECT_EQ(pthread_mutex_unlock(&plain), 0);
}

// Owners that die, with robust mutexes of both protocols in their hands; one is waited for.

static pthread_mutex_t left[3];
static atomic_int holds, die, heir_got;

static void *mortal(void *unused) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pthread_mutex_lock(&left[i]), 0);
  EXPECT_EQ(pthread_mutex_lock(&left[2]), 0);
  EXPECT_EQ(pthread_mutex_unlock(&left[2]), 0);
  holds = 1;
  while (!die) sleep_ms(1);
  return NULL;
}
static void *heir(void *unused) {
  int r = pthread_mutex_lock(&left[0]);
  EXPECT_EQ(r, EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(&left[0]), 0);
  heir_got = 1;
  EXPECT_EQ(pthread_mutex_unlock(&left[0]), 0);
  return NULL;
}
static pthread_t mortal_thread, heir_thread;
static void start_mortal(void) {
  holds = die = heir_got = 0;
  mortal_thread = start_thread(mortal, NULL);
  WAIT_FOR(holds);
  heir_thread = start_thread(heir, NULL);
}
static void let_die(void) {
  EXPECT_EQ(pthread_mutex_trylock(&left[1]), EBUSY);
  die = 1;
  pthread_join(mortal_thread, NULL);
  WAIT_FOR(heir_got);
  if (!heir_got) return;
  pthread_join(heir_thread, NULL);
  for (int i = 1; i < 3; ++i) {
    EXPECT_EQ(pthread_mutex_lock(&left[i]), EOWNERDEAD);
    EXPECT_EQ(pthread_mutex_consistent(&left[i]), 0);
    EXPECT_EQ(pthread_mutex_unlock(&left[i]), 0);
  }
  EXPECT_EQ(pthread_mutex_lock(&left[0]), 0);
  EXPECT_EQ(pthread_mutex_unlock(&left[0]), 0);
}

// Not made consistent: nobody can have it any more.
static void *leave_alone(void *mutex) {
  EXPECT_EQ(pthread_mutex_lock(mutex), 0);
  return NULL;
}
static void lose(void) {
  pthread_mutex_t lost;
  make(&lost, 4);
  pthread_join(start_thread(leave_alone, &lost), NULL);
  EXPECT_EQ(pthread_mutex_lock(&lost), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_unlock(&lost), 0);
  EXPECT_EQ(pthread_mutex_lock(&lost), ENOTRECOVERABLE);
  EXPECT_EQ(pthread_mutex_destroy(&lost), 0);
}

static pthread_t keeper_thread, cancelled_thread;

static void setup(void) {
  signal(SIGUSR1, on_signal);
  for (long i = 0; i < kTypes; ++i) {
    make(&lock[i], i);
    start_thread(owner, (void *)i);
    start_thread(waiter, (void *)i);
    start_thread(waiter, (void *)(i + kTypes));
  }
  make(&hot[0], 0);
  make(&hot[1], 6);
  for (long i = 0; i < kHammers; ++i) start_thread(hammer, (void *)i);
  make(&busy, 3);
  start_thread(busy_thread, NULL);
  make(&kept, 1);
  keeper_thread = start_thread(keeper, NULL);
  make(&around, 2);
  pthread_mutexattr_t recursive;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&plain, &recursive);
  cancelled_thread = start_cancelled();
  make(&left[0], 4);
  pthread_mutexattr_setrobust(&recursive, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&left[1], &recursive);
  make(&left[2], 5);
  start_mortal();
  // Gone without a word.
  pthread_mutex_t *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  make(gone, 1);
  pthread_mutex_lock(gone);
  munmap(gone, 4096);
  for (int i = 0; i < kTypes; ++i) WAIT_FOR(owned[i] == 1);
  WAIT_FOR(keeper_waits == 1);
  sleep_ms(50);
}

static void verify(void) {
  look_at_busy();
  rest = 1;
  give_all(generation + 1);
  look_at_hammers();
  look_at_keeper(keeper_thread);
  cancel(cancelled_thread);
  cancelled_thread = start_cancelled();
  let_die();
  start_mortal();
  lose();
  for (int i = 0; i < kTypes; ++i) WAIT_FOR(owned[i] == generation + 2);
  rest = 0;
  sleep_ms(50);
}
