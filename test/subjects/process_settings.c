// prctl and other settings of the process: name, death signal, dumpable, timer slack, subreaper, THP, personality,
// oom_score_adj, coredump_filter, membarrier, no_new_privs, I/O priority, scheduling.
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "subject.h"

static int oom, thp;

static void write_proc(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  EXPECT_EQ(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}
static long read_proc(const char *path, int base) {
  char text[64] = "";
  int fd = open(path, O_RDONLY);
  EXPECT(read(fd, text, 63) > 0);
  close(fd);
  return strtol(text, NULL, base);
}

static void setup(void) {
  EXPECT(!prctl(PR_SET_NAME, "a (strange) na"));
  EXPECT(!prctl(PR_SET_PDEATHSIG, SIGURG));
  EXPECT(!prctl(PR_SET_TIMERSLACK, 123456UL));
  EXPECT(!prctl(PR_SET_CHILD_SUBREAPER, 1UL));
  thp = !prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL);
  EXPECT(personality(ADDR_NO_RANDOMIZE | UNAME26) >= 0);
  oom = read_proc("/proc/self/oom_score_adj", 10) + 100;
  char text[16];
  snprintf(text, sizeof text, "%d", oom);
  write_proc("/proc/self/oom_score_adj", text);
  write_proc("/proc/self/coredump_filter", "0x17");
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  EXPECT(!setpriority(PRIO_PROCESS, 0, 4));
  EXPECT(!prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL));
}

static void verify(void) {
  char name[16];
  int n = 0;
  prctl(PR_GET_NAME, name);
  EXPECT_STR(name, "a (strange) na");
  EXPECT(!prctl(PR_GET_PDEATHSIG, &n) && n == SIGURG);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
  EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 123456);
  EXPECT(!prctl(PR_GET_CHILD_SUBREAPER, &n) && n == 1);
  if (thp) EXPECT_EQ(prctl(PR_GET_THP_DISABLE, 0UL, 0UL, 0UL, 0UL), 1);
  EXPECT_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | UNAME26);
  EXPECT_EQ(read_proc("/proc/self/oom_score_adj", 10), oom);
  EXPECT_EQ(read_proc("/proc/self/coredump_filter", 16), 0x17);
  EXPECT(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 4);
  EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL), 1);
}
