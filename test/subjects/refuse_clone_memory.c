// A child that has its parent's memory without being a thread of it (CLONE_VM without CLONE_THREAD): refused by name, both go on. Only so
// can signal handlers be shared (CLONE_SIGHAND).
// mig-test: refused=MIG0042
#include <sched.h>
#include <sys/prctl.h>

#include "subject.h"

static pid_t child;

static int run(void *unused) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  put_file("born", "");
  while (!have_file("end")) sleep_ms(2);
  return 0;
}
static void setup(void) {
  static char stack[256 << 10];
  child = clone(run, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
  EXPECT(child > 0);
  WAIT_FOR(have_file("born"));
}
static void verify(void) { EXPECT_EQ(kill(child, 0), 0); }
