// O_PATH, O_DIRECT, directories (with their reading position), /dev/null, zero, full, random, and files of /proc.
#include <dirent.h>

#include "subject.h"

static int path, path_link, direct = -1, null, zero, full, urandom, status, root;
static DIR *dir;
static int listed;

static void setup(void) {
  path = open(in_directory("."), O_PATH | O_DIRECTORY | O_CLOEXEC);
  symlink("nowhere", in_directory("link"));
  path_link = open(in_directory("link"), O_PATH | O_NOFOLLOW);
  direct = open(in_directory("direct"), O_RDWR | O_CREAT | O_DIRECT, 0600);
  null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_WRONLY), urandom = open("/dev/urandom", O_RDONLY);
  status = open("/proc/self/status", O_RDONLY);
  root = open("/", O_RDONLY | O_DIRECTORY);
  mkdir(in_directory("many"), 0700);
  for (int i = 0; i < 100; ++i) {
    char name[32];
    snprintf(name, sizeof name, "many/%d", i);
    close(open(in_directory(name), O_CREAT | O_WRONLY, 0600));
  }
  dir = opendir(in_directory("many"));
  EXPECT(path >= 0 && path_link >= 0 && null >= 0 && zero >= 0 && full >= 0 && urandom >= 0 && status >= 0 && root >= 0 && dir);
}

static void verify(void) {
  struct stat s;
  char text[2000] = "x";
  EXPECT_EQ(fcntl(path, F_GETFL), O_PATH | O_DIRECTORY);
  EXPECT(read(path, text, 1) < 0 && errno == EBADF);
  int fd = openat(path, "direct", O_RDONLY);
  if (direct >= 0) EXPECT(fd >= 0 && fcntl(direct, F_GETFL) & O_DIRECT);
  close(fd);
  EXPECT(!fstat(path_link, &s) && S_ISLNK(s.st_mode));
  EXPECT_EQ(read(null, text, 10), 0);
  EXPECT_EQ(write(null, text, 10), 10);
  EXPECT(read(zero, text, 10) == 10 && !text[0]);
  EXPECT(write(full, text, 1) < 0 && errno == ENOSPC);
  EXPECT_EQ(read(urandom, text, 10), 10);
  ssize_t n = pread(status, text, sizeof text - 1, 0);
  EXPECT(n > 100);
  text[n > 0 ? n : 0] = 0;
  EXPECT(strstr(text, "fd_kinds"));
  EXPECT(!fchdir(root) || errno);
  for (int i = 0; i < 25; ++i) {
    struct dirent *e = readdir(dir);
    if (e && e->d_name[0] != '.') ++listed;
  }
  if (generation == 2) {
    struct dirent *e;
    while ((e = readdir(dir)))
      if (e->d_name[0] != '.') ++listed;
    EXPECT_EQ(listed, 100);
  }
}
