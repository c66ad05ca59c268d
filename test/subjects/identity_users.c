// Changes of user ids after a restart reach every thread, as POSIX wants it and the kernel does not.
// mig-test: root
#include "subject.h"

enum { kThreads = 4 };
static atomic_int look, answered;
static uid_t wanted;

static void *worker(void *unused) {
  for (int round = 0;; sleep_ms(1))
    if (look > round) {
      ++round;
      uid_t r, e, s;
      EXPECT(!syscall(SYS_getresuid, &r, &e, &s));
      EXPECT_EQ(e, wanted);
      EXPECT_EQ(s, 0);
      answered++;
    }
}

static void setup(void) {
  for (int i = 0; i < kThreads; ++i) start_thread(worker, NULL);
}

static void check(uid_t id) {
  EXPECT_EQ(setresuid(-1, id, 0), 0);
  EXPECT_EQ(geteuid(), id);
  wanted = id;
  answered = 0;
  look++;
  WAIT_FOR(answered == kThreads);
}

static void verify(void) {
  check(65534);
  EXPECT(setresuid(-1, 12345, 54321) < 0 && errno == EPERM);
  check(0);
}
