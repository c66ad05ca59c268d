// Paths under /proc with the numbers that the program knows, by every call that takes a path, and what the files there say.
#include <dirent.h>

#include "subject.h"

static pid_t pid, ppid, thread_tid, pgid, sid;
static char exe[4096];

static void *worker(void *unused) {
  thread_tid = gettid();
  for (;;) sleep_ms(100);
}

static void setup(void) {
  pid = getpid(), ppid = getppid(), pgid = getpgrp(), sid = getsid(0);
  EXPECT(realpath("/proc/self/exe", exe));
  start_thread(worker, NULL);
  WAIT_FOR(thread_tid);
}

static void check_status(const char *path, pid_t tid) {
  EXPECT_EQ(atoi(field_of(path, "Pid")), tid);
  EXPECT_EQ(atoi(field_of(path, "Tgid")), pid);
  EXPECT_EQ(atoi(field_of(path, "PPid")), ppid);
  EXPECT_STR(field_of(path, "Name"), "identity_proc");
}

static void check_stat(const char *path, pid_t tid) {
  int a, b, c, d;
  char comm[32], state;
  FILE *f = fopen(path, "r");
  EXPECT(f && fscanf(f, "%d %31s %c %d %d %d", &a, comm, &state, &b, &c, &d) == 6);
  if (f) fclose(f);
  EXPECT_EQ(a, tid);
  EXPECT_EQ(b, ppid);
  EXPECT_EQ(c, pgid);
  EXPECT_EQ(d, sid);
  EXPECT_STR(comm, "(identity_proc)");
}

static void verify(void) {
  char path[64], text[4096] = "";
  struct stat st;
  check_status("/proc/self/status", pid);
  check_stat("/proc/self/stat", pid);
  snprintf(path, sizeof path, "/proc/%d/status", pid), check_status(path, pid);
  snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, thread_tid), check_status(path, thread_tid);
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_tid), check_stat(path, thread_tid);
  check_status("/proc/thread-self/status", pid);
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *d = opendir(path);
  EXPECT(d && readdir(d));
  if (d) closedir(d);
  EXPECT(!stat(path, &st) && S_ISDIR(st.st_mode));
  EXPECT_EQ(access(path, X_OK), 0);
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  EXPECT(readlink(path, text, sizeof text - 1) > 0);
  EXPECT_STR(text, exe);
  EXPECT(!stat(path, &st) && S_ISREG(st.st_mode));
  EXPECT(realpath("/proc/self/exe", text));
  EXPECT_STR(text, exe);
  int fd = open("/proc/self/exe", O_RDONLY);
  EXPECT(fd >= 0 && read(fd, text, 4) == 4 && !memcmp(text, "\177ELF", 4));
  close(fd);
  snprintf(path, sizeof path, "/proc/%d/comm", thread_tid);
  fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
  EXPECT(fd >= 0);
  close(fd);
  EXPECT(open("/proc/4194303/stat", O_RDONLY) < 0 && errno == ENOENT);
}
