// Children that are stopped as soon as they execute another program, before anything of ours can be in it. They stay stopped through
// restarts, and go on from there when they are continued.
// mig-test: generations=3
#include <sched.h>

#include "tree.h"

enum { kChildren = 12, kStatus = 7 };
static pid_t child[kChildren];
static int had_run[kChildren];

static const char *trace(int i, int g) {
  static char name[32];
  snprintf(name, sizeof name, "ran.%d.%d", i, g);
  return name;
}

static const char *word_of(int i, const char *file) {
  static char text[512];
  snprintf(text, sizeof text, "/proc/%d/%s", child[i], file);
  int fd = open(text, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  return text;
}

static int is_stopped(int i) {
  const char *end = strrchr(word_of(i, "stat"), ')');
  return end && end[2] == 'T';
}
static int is_called_before(int i) {
  return !strcmp(word_of(i, "comm"), "before\n");
}

static void start(int i, int g) {
  child[i] = fork();
  if (child[i] == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "before");
    while (!have_file(trace(0, g))) sched_yield();
    execl(arguments[0], arguments[0], directory, trace(i + 1, g), (char *)NULL);
    _exit(1);
  }
  WAIT_FOR(is_called_before(i));
  put_file(trace(0, g), "");
  while (is_called_before(i)) {
  }
  EXPECT_EQ(kill(child[i], SIGSTOP), 0);
  int status;
  EXPECT_EQ(waitpid(child[i], &status, WUNTRACED), child[i]);
  EXPECT(WIFSTOPPED(status));
  had_run[i] = have_file(trace(i + 1, g));
  unlink(in_directory(trace(0, g)));
}

static void setup(void) {
  if (arguments[2]) {
    put_file(arguments[2], "");
    tree_wait("go");
    _exit(kStatus);
  }
  for (int i = 0; i < kChildren; ++i) start(i, 0);
}

static void verify(void) {
  put_file("go", "");
  for (int i = 0; i < kChildren; ++i) {
    int status;
    WAIT_FOR(is_stopped(i));
    EXPECT_EQ(have_file(trace(i + 1, generation)), had_run[i]);
    EXPECT_EQ(waitpid(child[i], &status, WUNTRACED | WNOHANG), 0);
    EXPECT_EQ(kill(child[i], SIGCONT), 0);
    EXPECT_EQ(waitpid(child[i], &status, 0), child[i]);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == kStatus);
    EXPECT(have_file(trace(i + 1, generation)));
  }
  unlink(in_directory("go"));
  for (int i = 0; i < kChildren; ++i) start(i, generation + 1);
}
