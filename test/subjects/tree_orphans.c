// Processes whose parents have ended: adopted by somebody outside the job or by a subreaper in it; in the first process's
// session, in one whose leader lives, and in one whose leader has ended.
// mig-test: generations=3
#include "tree.h"

/// A child of a child that ends.
static void make_orphan(const char *name, int session) {
  pid_t between = fork();
  if (between == 0) {
    if (session) setsid();
    pid_t own = getpid();
    if (fork() == 0) {
      while (getppid() == own) sleep_ms(1);
      tree_member(name, NULL);
    }
    _exit(0);
  }
  EXPECT_EQ(waitpid(between, NULL, 0), between);
  tree_await(name);
}

static void reap_others(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  make_orphan("adopted", 0);
  make_orphan("adopted-daemon", 1);
  tree_member("reaper", NULL);
}

static void lead(void) {
  setsid();
  make_orphan("orphan-of-leader", 0);
  tree_member("leader", NULL);
}

static void setup(void) {
  tree_enter("first");
  make_orphan("orphan", 0);
  make_orphan("daemon", 1);
  if (fork() == 0) lead();
  if (fork() == 0) reap_others();
  tree_await("leader");
  tree_await("reaper");
}

static void verify(void) {
  tree_ask_all();
  EXPECT_EQ(tree_known("adopted").ppid, tree_known("reaper").pid);
  EXPECT_EQ(tree_known("adopted-daemon").ppid, tree_known("reaper").pid);
}
