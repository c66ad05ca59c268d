// What /proc tells of a child by ways other than an absolute path and readdir: paths relative to a directory or to the current one,
// scandir, glob, getdents64, a pidfd's fdinfo, children, /proc/locks, the child's executable, and pidof.
#include <dirent.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "subject.h"

static pid_t pid, ppid, child;
static char name[16], executable[4096];

static void start_child(void) {
  child = fork();
  if (child == 0)
    for (;;) pause();
  snprintf(name, sizeof name, "%d", child);
}

static const char *child_file(const char *file) {
  static char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", child, file);
  return path;
}

static void setup(void) {
  pid = getpid(), ppid = getppid();
  EXPECT(readlink("/proc/self/exe", executable, sizeof executable - 1) > 0);
  start_child();
}

static void expect_stat(int fd, pid_t of, pid_t parent) {
  char text[1024] = "";
  int number = 0, above = 0;
  EXPECT(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  close(fd);
  const char *behind = strrchr(text, ')');
  EXPECT(sscanf(text, "%d", &number) == 1 && behind && sscanf(behind + 3, "%d", &above) == 1);
  EXPECT_EQ(number, of);
  EXPECT_EQ(above, parent);
}

static void look_from_current(void) {
  char path[64], text[4096] = "";
  struct stat st;
  EXPECT_EQ(chdir("/proc"), 0);
  snprintf(path, sizeof path, "%s/stat", name);
  expect_stat(open(path, O_RDONLY), child, pid);
  EXPECT(!stat(name, &st) && S_ISDIR(st.st_mode));
  EXPECT(!access(path, R_OK));
  snprintf(path, sizeof path, "%s/task/%s/stat", name, name);
  expect_stat(open(path, O_RDONLY), child, pid);
  EXPECT_EQ(chdir(name), 0);
  expect_stat(open("stat", O_RDONLY), child, pid);
  snprintf(path, sizeof path, "./task/%s/stat", name);
  expect_stat(open(path, O_RDONLY), child, pid);
  EXPECT_EQ(atoi(field_of("status", "PPid")), pid);
  EXPECT(readlink("exe", text, sizeof text - 1) > 0);
  EXPECT_STR(text, executable);
  EXPECT_EQ(chdir("/"), 0);
}

static void look_from_directory(void) {
  char text[4096] = "";
  struct stat st;
  int proc = open("/proc", O_RDONLY | O_DIRECTORY), own;
  EXPECT(!fstatat(proc, name, &st, 0) && S_ISDIR(st.st_mode));
  EXPECT(!fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW));
  EXPECT(!faccessat(proc, name, X_OK, 0));
  own = openat(proc, name, O_RDONLY | O_DIRECTORY);
  EXPECT(own >= 0);
  expect_stat(openat(own, "stat", O_RDONLY), child, pid);
  EXPECT(readlinkat(own, "exe", text, sizeof text - 1) > 0);
  EXPECT_STR(text, executable);
  EXPECT(!syscall(SYS_newfstatat, proc, name, &st, 0));
  snprintf(text, sizeof text, "%d", 1 << 22);
  EXPECT(fstatat(proc, text, &st, 0) == -1 && errno == ENOENT);
  close(own), close(proc);
}

static int is_number(const struct dirent *e) {
  return e->d_name[0] >= '1' && e->d_name[0] <= '9';
}

static void look_by_scandir(const char *path, int expected) {
  struct dirent **list;
  int n = scandir(path, &list, is_number, alphasort), found = 0;
  EXPECT(n > 0);
  for (int i = 0; i < n; free(list[i++])) {
    found += !strcmp(list[i]->d_name, name);
    if (i) EXPECT(strcmp(list[i - 1]->d_name, list[i]->d_name) || strcmp(path, "/proc"));
  }
  free(list);
  EXPECT_EQ(found, expected);
}

static void look_by_number(size_t size) {
  char buffer[1 << 15];
  int proc = open("/proc", O_RDONLY | O_DIRECTORY), found = 0, others = 0;
  for (long n; (n = syscall(SYS_getdents64, proc, buffer, size)) > 0;)
    for (long at = 0; at < n;) {
      struct dirent64 *e = (struct dirent64 *)(buffer + at);
      found += !strcmp(e->d_name, name), others += !strcmp(e->d_name, "uptime");
      at += e->d_reclen;
    }
  close(proc);
  EXPECT_EQ(found, 1);
  EXPECT_EQ(others, 1);
}

static void look_by_glob(void) {
  glob_t g;
  int found = 0;
  EXPECT_EQ(glob("/proc/[0-9]*/stat", 0, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; ++i) found += !strcmp(g.gl_pathv[i], child_file("stat"));
  globfree(&g);
  EXPECT_EQ(found, 1);
}

static void look_at_fdinfo(void) {
  char path[64];
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
  EXPECT(fd >= 0);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  EXPECT_EQ(atoi(field_of(path, "Pid")), child);
  EXPECT_EQ(atoi(field_of(path, "NSpid")), child);
  close(fd);
}

static void look_at_children(void) {
  char path[64], text[1024] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *f = fopen(path, "r");
  EXPECT(f && fgets(text, sizeof text, f));
  if (f) fclose(f);
  EXPECT_EQ(atoi(text), child);
}

/// `1: POSIX  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF`, with a file of its own.
static void look_at_locks(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  struct stat st;
  char line[256], object[64];
  int fd = open(in_directory("locked"), O_RDWR | O_CREAT, 0600), holder = 0, inode_found = 0;
  EXPECT_EQ(fcntl(fd, F_SETLK, &lock), 0);
  EXPECT_EQ(fstat(fd, &st), 0);
  snprintf(object, sizeof object, ":%lu ", (unsigned long)st.st_ino);
  FILE *f = fopen("/proc/locks", "r");
  while (f && fgets(line, sizeof line, f))
    if (strstr(line, object) && strstr(line, "POSIX") && sscanf(line, "%*d: %*s %*s %*s %d", &holder) == 1)
      inode_found += holder == pid;
  if (f) fclose(f);
  EXPECT_EQ(inode_found, 1);
  snprintf(object, sizeof object, "/proc/self/fdinfo/%d", fd);
  EXPECT(sscanf(field_of(object, "lock"), "%*d: %*s %*s %*s %d", &holder) == 1);
  EXPECT_EQ(holder, pid);
  close(fd);
}

static void look_by_pidof(void) {
  char line[4096] = " ", wanted[20], shown[4100];
  if (access("/bin/pidof", X_OK)) return;
  FILE *f = popen("exec pidof identity_relative", "r");
  EXPECT(f && fgets(line + 1, sizeof line - 1, f));
  if (f) EXPECT_EQ(pclose(f), 0);
  line[strcspn(line, "\n")] = ' ';
  snprintf(shown, sizeof shown, "%s", line);
  for (const pid_t *p = (const pid_t[]){pid, child, 0}; *p; ++p) {
    snprintf(wanted, sizeof wanted, " %d ", *p);
    if (!strstr(shown, wanted)) fail("pidof does not show%s: %.900s", wanted, shown);
  }
}

static void look(void) {
  char text[4096] = "";
  look_from_current();
  look_from_directory();
  look_by_scandir("/proc", 1);
  look_by_scandir(child_file("task"), 1);
  look_by_number(1 << 15);
  look_by_number(2048);
  look_by_glob();
  look_at_fdinfo();
  look_at_children();
  look_at_locks();
  EXPECT(readlink(child_file("exe"), text, sizeof text - 1) > 0);
  EXPECT_STR(text, executable);
  look_by_pidof();
}

/// The child of before, and one born since.
static void verify(void) {
  look();
  EXPECT_EQ(kill(child, SIGKILL), 0);
  EXPECT_EQ(waitpid(child, NULL, 0), child);
  start_child();
  look();
}
