// A thread that has ids of its own, as file servers have to act for a user: refused by name, all go on.
// mig-test: refused=MIG0043 root
#include "subject.h"

static atomic_int stands;
static atomic_long seen;

static void* act_for_a_user(void* unused) {
  EXPECT(!syscall(SYS_setresuid, -1, 12345, -1));
  stands = 1;
  for (;;) {
    seen = syscall(SYS_geteuid);
    sleep_ms(2);
  }
}
static void setup(void) {
  if (geteuid()) skip("only root becomes another user");
  start_thread(act_for_a_user, NULL);
  WAIT_FOR(stands);
}
static void verify(void) {
  seen = 0;
  WAIT_FOR(seen);
  EXPECT_EQ(seen, 12345);
  EXPECT_EQ(geteuid(), 0);
}
