// A process that has made itself another host name, where none but it sees it: refused by name, it goes on.
// mig-test: refused=MIG0043
#include <sched.h>

#include "subject.h"

static void setup(void) {
  if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWUTS : CLONE_NEWUTS)) skip("no namespaces for this user");
  EXPECT(!sethostname("inside", 6));
}
static void verify(void) {
  char name[16];
  EXPECT(!gethostname(name, sizeof name));
  EXPECT_STR(name, "inside");
}
