// A program started by root that became an ordinary user is restarted by root as that user: no privilege comes back.
// mig-test: root drops
#include <grp.h>
#include <sys/prctl.h>

#include "subject.h"

static char capabilities[64];

static void setup(void) {
  if (getuid()) skip("not root");
  EXPECT(!chmod(directory, 0777));
  EXPECT(!setgroups(0, NULL) && !setresgid(65533, 65533, 65533) && !setresuid(65533, 65533, 65533));
  EXPECT(!prctl(PR_SET_DUMPABLE, 1));  // a change of ids clears it
  snprintf(capabilities, sizeof capabilities, "%s", field_of("/proc/self/status", "CapPrm"));
}

static void verify(void) {
  uid_t r, e, s;
  EXPECT(!getresuid(&r, &e, &s) && r == 65533 && e == 65533 && s == 65533);
  EXPECT(!getresgid(&r, &e, &s) && r == 65533 && e == 65533 && s == 65533);
  EXPECT_EQ(getgroups(0, NULL), 0);
  EXPECT_STR(field_of("/proc/self/status", "CapPrm"), capabilities);
  EXPECT_STR(field_of("/proc/self/status", "CapEff"), "0000000000000000");
  EXPECT(setuid(0) < 0);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
}
