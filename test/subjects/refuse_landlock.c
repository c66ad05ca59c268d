// A process that has restricted itself by Landlock, and executed another program since: nothing shows it, and a restart would free it.
// So the checkpoint is refused by name, the program goes on.
// mig-test: refused=MIG0043
#include <linux/landlock.h>
#include <sys/prctl.h>

#include "subject.h"

static int may_make_fifo(void) {
  int may = mkfifo(in_directory("fifo"), 0600) == 0;
  if (may) unlink(in_directory("fifo"));
  else EXPECT_EQ(errno, EACCES);
  return may;
}

static void restrict_self(void) {
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_FIFO};
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  if (fd < 0) skip("landlock_create_ruleset: %s", strerror(errno));
  EXPECT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  EXPECT_EQ(syscall(SYS_landlock_restrict_self, fd, 0), 0);
  close(fd);
}

static void setup(void) {
  if (arguments[2]) return;
  EXPECT(may_make_fifo());
  restrict_self();
  execl(arguments[0], arguments[0], directory, "restricted", (char *)NULL);
  fail("execl: %s", strerror(errno));
}

static void verify(void) {
  EXPECT(!may_make_fifo());
}
