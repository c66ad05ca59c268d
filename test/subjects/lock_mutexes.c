// A mutex of every type is held across the restart, with another thread blocked on it; afterwards its owner can
// unlock it, the other one gets it, and owner checks (errorcheck, recursive, robust, PI) know who is who.
// mig-test: generations=3
#include "subject.h"

enum { kTypes = 8 };
static const struct {
  const char *name;
  int type, robust, protocol, shared;
} types[kTypes] = {{"normal", PTHREAD_MUTEX_NORMAL, 0, 0, 0},
                   {"recursive", PTHREAD_MUTEX_RECURSIVE, 0, 0, 0},
                   {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0},
                   {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0},
                   {"robust", PTHREAD_MUTEX_ERRORCHECK, 1, 0, 0},
                   {"pi", PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_INHERIT, 0},
                   {"robust pi", PTHREAD_MUTEX_RECURSIVE, 1, PTHREAD_PRIO_INHERIT, 0},
                   {"shared robust", PTHREAD_MUTEX_NORMAL, 1, 0, 1}};
static pthread_mutex_t *lock;
static atomic_int owned[kTypes], give[kTypes], got[kTypes], back[kTypes];

#define CHECK(call, wanted)                                                                                   \
  do {                                                                                                        \
    int r_ = (call);                                                                                          \
    if (r_ != (wanted)) fail("%s mutex: %s gives %s, not %s", types[i].name, #call, strerror(r_), strerror(wanted)); \
  } while (0)

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
    while (back[i] < round) sleep_ms(1);
  }
}

static void *waiter(void *argument) {
  long i = (long)argument;
  for (int round = 1;; ++round) {
    while (owned[i] < round) sleep_ms(1);
    CHECK(pthread_mutex_lock(&lock[i]), 0);
    got[i] = round;
    CHECK(pthread_mutex_unlock(&lock[i]), 0);
    back[i] = round;
  }
}

static void settle(int round) {
  for (int i = 0; i < kTypes; ++i) WAIT_FOR(owned[i] == round);
  sleep_ms(30);
}

static void setup(void) {
  lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < kTypes; ++i) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, types[i].type);
    pthread_mutexattr_setprotocol(&a, types[i].protocol);
    pthread_mutexattr_setpshared(&a, types[i].shared);
    if (types[i].robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_init(&lock[i], &a), 0);
    start_thread(owner, (void *)i);
    start_thread(waiter, (void *)i);
  }
  settle(1);
}

static void verify(void) {
  int round = generation + 1;
  for (int i = 0; i < kTypes; ++i) {
    EXPECT_EQ(got[i], round - 1);
    CHECK(pthread_mutex_trylock(&lock[i]), EBUSY);
    if (types[i].type != PTHREAD_MUTEX_NORMAL && types[i].type != PTHREAD_MUTEX_ADAPTIVE_NP) CHECK(pthread_mutex_unlock(&lock[i]), EPERM);
  }
  for (int i = 0; i < kTypes; ++i) give[i] = round;
  for (int i = 0; i < kTypes; ++i) {
    WAIT_FOR(got[i] == round);
    if (got[i] != round) fail("the thread blocked on the %s mutex did not get it", types[i].name);
  }
  settle(round + 1);
}
