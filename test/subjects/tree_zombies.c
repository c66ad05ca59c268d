// Children that have ended and wait to be waited for: by exit code and by signal, one the leader of a group that others are in,
// one the leader of a session, and one that tells its end by another signal than SIGCHLD.
// mig-test: generations=5
#include <sched.h>
#include <sys/resource.h>

#include "tree.h"

enum { kZombies = 6 };
static pid_t zombie[kZombies];
static int code[kZombies];  // CLD_KILLED or CLD_DUMPED: the kernel writes a core file for 4 where the limit allows it
static pid_t companion;

static void end_as(int i) {
  char name[16];
  snprintf(name, sizeof name, "zombie-%d", i);
  prctl(PR_SET_NAME, name);
  if (i == 2) setpgid(0, 0);
  if (i == 3) setsid();
  if (i == 4) {
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
    abort();
  }
  if (i == 1 || i == 2) raise(i == 1 ? SIGKILL : SIGTERM);
  _exit(40 + i);
}

static int end_with_signal(void *unused) {
  (void)unused;
  end_as(5);
  return 0;
}

static void make(int i) {
  static char stack[64 << 10] __attribute__((aligned(16)));
  if (i == 5) zombie[i] = clone(end_with_signal, stack + sizeof stack, SIGUSR2, NULL);
  else zombie[i] = fork();
  if (zombie[i] == 0) {
    if (i == 2) {
      setpgid(0, 0);
      while (!have_file("companion")) sleep_ms(1);
    }
    end_as(i);
  }
}

static void await_end(int i) {
  siginfo_t info = {0};
  EXPECT_EQ(waitid(P_PID, (id_t)zombie[i], &info, WEXITED | WNOWAIT | __WALL), 0);
  code[i] = info.si_code;
}

static void setup(void) {
  tree_enter("first");
  signal(SIGUSR2, SIG_IGN);
  EXPECT_EQ(chdir(directory), 0);
  unlink(in_directory("companion"));
  for (int i = 0; i < kZombies; ++i) make(i);
  WAIT_FOR(getpgid(zombie[2]) == zombie[2]);
  companion = fork();
  if (companion == 0) {
    EXPECT_EQ(setpgid(0, zombie[2]), 0);
    put_file("companion", "");
    tree_member("companion", NULL);
  }
  tree_await("companion");
  for (int i = 0; i < kZombies; ++i) await_end(i);
}

static void expect_end(int i) {
  siginfo_t info = {0};
  int status = 0, signal = i == 1 ? SIGKILL : i == 2 ? SIGTERM : i == 4 ? SIGABRT : 0;
  EXPECT_EQ(waitid(P_PID, (id_t)zombie[i], &info, WEXITED | WNOWAIT | __WALL), 0);
  EXPECT_EQ(info.si_pid, zombie[i]);
  EXPECT_EQ(info.si_code, code[i]);
  EXPECT_EQ(waitpid(zombie[i], &status, i == 5 ? __WCLONE : 0), zombie[i]);
  if (signal) EXPECT_EQ(status, signal | (code[i] == CLD_DUMPED ? WCOREFLAG : 0));
  else EXPECT_EQ(status, (40 + i) << 8);
  EXPECT_EQ(waitpid(zombie[i], &status, __WALL | WNOHANG), -1);
}

/// One is waited for in each generation; the others stay.
static void verify(void) {
  tree_ask_all();
  if (generation < kZombies) expect_end(generation);
  if (generation != 3) EXPECT_EQ(waitpid(companion, NULL, WNOHANG), 0);
}
