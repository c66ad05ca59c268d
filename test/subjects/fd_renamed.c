// Files whose path leads elsewhere by now: replaced by a rename, moved to another name, written only and then removed under a lock.
#include <sys/file.h>

#include "subject.h"

static int replaced, moved, log_fd;

static int make(const char *name, const char *text) {
  int fd = open(in_directory(name), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(fd, text, strlen(text)), strlen(text));
  return fd;
}

static void move(const char *from, const char *to) {
  char old[4200];
  strcpy(old, in_directory(from));
  EXPECT(!rename(old, in_directory(to)));
}

static void setup(void) {
  replaced = make("config", "old config");
  close(make("config.new", "new config, longer"));
  move("config.new", "config");
  moved = make("log", "moved log");
  move("log", "log.1");
  close(make("only", "0123456789"));
  log_fd = open(in_directory("only"), O_WRONLY | O_APPEND);
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
  EXPECT(!fcntl(log_fd, F_SETLK, &l));
  EXPECT(!unlink(in_directory("only")));
}

static void verify(void) {
  char text[64] = "", path[64];
  struct stat s, t;
  EXPECT_EQ(pread(replaced, text, 64, 0), 10);
  EXPECT_STR(text, "old config");
  EXPECT(!stat(in_directory("config"), &s) && s.st_size == 18);
  EXPECT(!fstat(moved, &s) && !stat(in_directory("log.1"), &t) && s.st_ino == t.st_ino);
  EXPECT_EQ(write(log_fd, "x", 1), 1);
  EXPECT(!fstat(log_fd, &s) && s.st_size == 11 + generation);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", log_fd);
  EXPECT(strstr(field_of(path, "lock"), "WRITE"));
}
