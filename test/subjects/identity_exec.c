// A program that becomes another one by exec after a restart keeps its pid, and /proc/self/exe can be executed.
#include "subject.h"

static pid_t pid, ppid;

static void setup(void) {
  const char *known = getenv("BORN_AS"), *parent = getenv("BORN_OF");
  pid = known ? atoi(known) : getpid(), ppid = parent ? atoi(parent) : getppid();
  EXPECT_EQ(getpid(), pid);
  EXPECT_EQ(gettid(), pid);
  EXPECT_EQ(getppid(), ppid);
  EXPECT_EQ(raise(0), 0);
  EXPECT_EQ(pthread_kill(pthread_self(), 0), 0);
  if (getenv("GENERATION")) generation = atoi(getenv("GENERATION"));
}

static void verify(void) {
  EXPECT_EQ(getpid(), pid);
  EXPECT_EQ(getppid(), ppid);
  EXPECT_EQ(pthread_kill(pthread_self(), 0), 0);
  if (generation != 1 || failed_once) return;
  char text[32];
  snprintf(text, sizeof text, "%d", pid), setenv("BORN_AS", text, 1);
  snprintf(text, sizeof text, "%d", ppid), setenv("BORN_OF", text, 1);
  setenv("GENERATION", "2", 1);
  put_file("result.1", "ok");
  execv("/proc/self/exe", arguments);
  fail("execv: %s", strerror(errno));
}
