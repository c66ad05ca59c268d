// What servers do to the children they serve with: a seccomp filter that knows only the child's own calls, and a root directory
// without /proc followed by a change of ids. Neither ends or stops a child, before a restart and after it.
#include <grp.h>
#include <sched.h>
#include <sys/wait.h>

#include "confined.h"

static int status_of(pid_t child) {
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

static void filtered(void) {
  pid_t child = fork();
  if (!child) {
    if (confine_self()) _exit(5);
    write(-1, "", 1);
    _exit(7);
  }
  int status = status_of(child);
  EXPECT(WIFEXITED(status) && (WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 5));
}

static void enclosed(void) {
  pid_t child = fork();
  if (!child) {
    alarm(10);
    if (geteuid() && unshare(CLONE_NEWUSER)) _exit(5);
    if (chroot(directory) || chdir("/")) _exit(5);
    _exit(setresuid(-1, -1, -1) || setresgid(-1, -1, -1) ? 6 : 7);
  }
  int status = status_of(child);
  EXPECT(WIFEXITED(status) && (WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 5));
}

static void setup(void) { filtered(), enclosed(); }
static void verify(void) { filtered(), enclosed(); }
