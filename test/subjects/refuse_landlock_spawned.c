// Landlock rules that a process has from the one that spawned it. That one has them too: the whole job is refused.
// mig-test: refused=MIG0043
#include <linux/landlock.h>
#include <spawn.h>
#include <sys/prctl.h>

#include "tree.h"

static pid_t child;

static void restrict_self(void) {
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_FIFO};
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  if (fd < 0) _exit(1);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_landlock_restrict_self, fd, 0)) _exit(1);
  close(fd);
}

/// Restricts itself, spawns the one that stays, and ends.
static void be_between(void) {
  pid_t pid;
  char *const words[] = {arguments[0], (char *)directory, "spawned", NULL};
  restrict_self();
  if (posix_spawn(&pid, arguments[0], NULL, NULL, words, environ)) _exit(2);
  while (!have_file("known.spawned")) sleep_ms(1);
  _exit(0);
}

static void setup(void) {
  if (arguments[2]) tree_member(arguments[2], NULL);
  tree_enter("first");
  child = fork();
  if (child == 0) be_between();
  int status;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) skip("Landlock: %s", strerror(errno));
  EXPECT_EQ(status, 0);
}

static void verify(void) {
  EXPECT_EQ(kill(tree_known("spawned").pid, 0), 0);
}
