// Process, thread, parent, group and session ids, and all that shows them: /proc/self, paths by pid, kill, sched calls.
#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "subject.h"

static pid_t pid, ppid, pgid, sid, thread_tid;
static atomic_int look, answered, got;

static void on_usr1(int n, siginfo_t *i, void *c) {
  if (i->si_pid != pid) fail("si_pid %d, not %d", i->si_pid, pid);
  got++;
}

static void *worker(void *unused) {
  thread_tid = gettid();
  for (int round = 0;; sleep_ms(1))
    if (look > round) {
      char link[64] = "";
      ++round;
      EXPECT_EQ(gettid(), thread_tid);
      EXPECT_EQ(syscall(SYS_gettid), thread_tid);
      EXPECT(readlink("/proc/thread-self", link, 63) > 0);
      char wanted[64];
      snprintf(wanted, sizeof wanted, "%d/task/%d", pid, thread_tid);
      EXPECT_STR(link, wanted);
      answered++;
    }
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &a, NULL);
  pid = getpid(), ppid = getppid(), pgid = getpgrp(), sid = getsid(0);
  start_thread(worker, NULL);
  WAIT_FOR(thread_tid);
}

static void verify(void) {
  char path[64], link[64] = "", line[512] = "";
  EXPECT_EQ(getpid(), pid);
  EXPECT_EQ(syscall(SYS_getpid), pid);
  EXPECT_EQ(gettid(), pid);
  EXPECT_EQ(getppid(), ppid);
  EXPECT_EQ(getpgrp(), pgid);
  EXPECT_EQ(getpgid(0), pgid);
  EXPECT_EQ(getpgid(pid), pgid);
  EXPECT_EQ(getsid(0), sid);
  EXPECT_EQ(getsid(pid), sid);
  EXPECT(readlink("/proc/self", link, 63) > 0);
  EXPECT_EQ(atoi(link), pid);
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY);
  EXPECT(fd >= 0 && read(fd, line, 511) > 0);
  close(fd);
  EXPECT_EQ(atoi(line), pid);
  EXPECT(strstr(line, "(identity_pids)"));
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", thread_tid);
  EXPECT_EQ(access(path, R_OK), 0);
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_EQ(kill(pid, SIGUSR1), 0);
  WAIT_FOR(got == 2 * generation + 1);
  EXPECT_EQ(syscall(SYS_tgkill, pid, thread_tid, SIGUSR1), 0);
  WAIT_FOR(got == 2 * generation + 2);
  EXPECT(getpriority(PRIO_PROCESS, pid) >= -20 && sched_getscheduler(pid) >= 0 && sched_getscheduler(thread_tid) >= 0);
  cpu_set_t cpus;
  EXPECT_EQ(sched_getaffinity(thread_tid, sizeof cpus, &cpus), 0);
  clockid_t clock;
  EXPECT_EQ(clock_getcpuclockid(pid, &clock), 0);
  EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
  look++;
  WAIT_FOR(answered == generation + 1);
}
