// Descriptors that share one description (dup, dup2, F_DUPFD, through /proc/self/fd they do not): offset and flags move together.
#include <linux/kcmp.h>

#include "subject.h"

static int a, b, c, apart;

static long same(int x, int y) { return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, x, y); }

static void setup(void) {
  a = open(in_directory("file"), O_RDWR | O_CREAT, 0600);
  b = dup(a);
  c = fcntl(a, F_DUPFD_CLOEXEC, 60);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", a);
  apart = open(path, O_RDWR);
  write(a, "0123456789", 10);
  EXPECT(a >= 0 && b >= 0 && c >= 0 && apart >= 0);
}

static void verify(void) {
  EXPECT_EQ(lseek(a, 3 + generation, SEEK_SET), 3 + generation);
  EXPECT_EQ(lseek(b, 0, SEEK_CUR), 3 + generation);
  EXPECT_EQ(lseek(c, 0, SEEK_CUR), 3 + generation);
  EXPECT_EQ(lseek(apart, 0, SEEK_CUR), 0);
  fcntl(b, F_SETFL, generation % 2 ? 0 : O_APPEND);
  EXPECT_EQ(!(fcntl(c, F_GETFL) & O_APPEND), generation % 2);
  EXPECT(!(fcntl(apart, F_GETFL) & O_APPEND));
  EXPECT_EQ(fcntl(c, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(b, F_GETFD), 0);
  long r = same(a, c);
  if (r >= 0) EXPECT(r == 0 && same(a, apart) != 0);
}
