// After a restart the program can still fork, exec, spawn and wait as before.
#include <spawn.h>
#include <sys/wait.h>

#include "subject.h"

extern char **environ;

static void setup(void) {}

static void verify(void) {
  int status = 0;
  pid_t me = getpid(), child = fork();
  if (child == 0) _exit(getppid() == me && getpid() != me ? 5 : 6);
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 5);
  char *argv[] = {"sh", "-c", "exit 9", NULL};
  EXPECT_EQ(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ), 0);
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 9);
  EXPECT_EQ(WEXITSTATUS(system("exit 4")), 4);
  FILE *f = popen("echo through popen", "r");
  char line[64] = "";
  EXPECT(fgets(line, sizeof line, f));
  EXPECT_STR(line, "through popen\n");
  EXPECT_EQ(pclose(f), 0);
}
