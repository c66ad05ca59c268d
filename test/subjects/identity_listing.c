// What /proc tells of the job's processes: listings, the files of a child, paths relative to a directory, and ps.
#include <dirent.h>
#include <sys/wait.h>

#include "subject.h"

static pid_t pid, ppid, tid;

static void *worker(void *unused) {
  tid = gettid();
  for (;;) pause();
}

static int count_in(const char *path, pid_t wanted) {
  DIR *d = opendir(path);
  struct dirent *e;
  int found = 0;
  while (d && (e = readdir(d))) found += atoi(e->d_name) == wanted;
  if (d) closedir(d);
  return found;
}

/// All numbers that /proc lists differ.
static int count_doubles(void) {
  static char seen[1 << 23];
  memset(seen, 0, sizeof seen);
  DIR *d = opendir("/proc");
  struct dirent *e;
  int doubles = 0;
  while (d && (e = readdir(d))) {
    long n = atol(e->d_name);
    if (n > 0 && n < (long)sizeof seen) doubles += seen[n]++ != 0;
  }
  if (d) closedir(d);
  return doubles;
}

static void expect_stat(int fd, pid_t child) {
  char line[1024] = "";
  int number = 0, parent = 0, group = 0, session = 0;
  EXPECT(fd >= 0 && read(fd, line, sizeof line - 1) > 0);
  close(fd);
  EXPECT_EQ(sscanf(line, "%d", &number), 1);
  const char *behind = strrchr(line, ')');
  EXPECT(behind && sscanf(behind + 4, "%d %d %d", &parent, &group, &session) == 3);
  EXPECT_EQ(number, child);
  EXPECT_EQ(parent, child == pid ? ppid : pid);
  EXPECT_EQ(group, getpgrp());
  EXPECT_EQ(session, getsid(0));
}

static void look_at_child(pid_t child) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  expect_stat(open(path, O_RDONLY), child);
  int proc = open("/proc", O_RDONLY | O_DIRECTORY);
  expect_stat(openat(proc, path + 6, O_RDONLY), child);
  snprintf(path, sizeof path, "%d", child);
  int own = openat(proc, path, O_RDONLY | O_DIRECTORY);
  expect_stat(openat(own, "stat", O_RDONLY), child);
  close(own), close(proc);
  snprintf(path, sizeof path, "/proc/%d/status", child);
  EXPECT_EQ(atoi(field_of(path, "Pid")), child);
  EXPECT_EQ(atoi(field_of(path, "Tgid")), child);
  EXPECT_EQ(atoi(field_of(path, "NSpid")), child);
  EXPECT_EQ(atoi(field_of(path, "PPid")), pid);
  EXPECT_EQ(count_in("/proc", child), 1);
}

static void look_at_ps(pid_t child) {
  char command[64], line[128];
  int number, parent, own = 0, of_child = 0;
  snprintf(command, sizeof command, "ps -e -o pid=,ppid=");
  FILE *f = popen(command, "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%d %d", &number, &parent) == 2) own += number == pid, of_child += number == child && parent == pid;
  EXPECT_EQ(pclose(f), 0);
  EXPECT_EQ(own, 1);
  EXPECT_EQ(of_child, 1);
}

static void setup(void) {
  pid = getpid(), ppid = getppid();
  start_thread(worker, NULL);
  WAIT_FOR(tid);
}

static void verify(void) {
  EXPECT_EQ(count_in("/proc", pid), 1);
  EXPECT_EQ(count_in("/proc/self/task", tid), 1);
  EXPECT_EQ(count_in("/proc/self/task", pid), 1);
  EXPECT_EQ(count_doubles(), 0);
  expect_stat(open("/proc/self/stat", O_RDONLY), pid);
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  look_at_child(child);
  if (access("/bin/ps", X_OK) == 0) look_at_ps(child);
  EXPECT_EQ(kill(child, SIGKILL), 0);
  EXPECT_EQ(waitpid(child, NULL, 0), child);
}
