// Real, effective, saved and file-system ids, supplementary groups: exactly what they were.
// mig-test: root
#include <grp.h>
#include <sys/fsuid.h>

#include "subject.h"

static void setup(void) {
  gid_t groups[] = {7, 1000, 65000};
  if (getuid()) skip("not root");
  EXPECT(!chmod(directory, 0777));
  EXPECT(!setgroups(3, groups));
  EXPECT(!setresgid(0, 100, 200) && !setresuid(0, 0, 300));
}

static void verify(void) {
  uid_t r, e, s;
  gid_t groups[10];
  EXPECT(!getresuid(&r, &e, &s) && r == 0 && e == 0 && s == 300);
  EXPECT(!getresgid(&r, &e, &s) && r == 0 && e == 100 && s == 200);
  EXPECT_EQ(setfsgid(-1), 100);
  EXPECT_EQ(getgroups(10, groups), 3);
  EXPECT(groups[0] == 7 && groups[1] == 1000 && groups[2] == 65000);
}
