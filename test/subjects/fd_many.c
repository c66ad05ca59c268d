// Hundreds of descriptors, and the highest number that the limit allows.
#include <sys/resource.h>

#include "subject.h"

enum { kMany = 900 };
static int fds[kMany], highest;

static void setup(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 1024) skip("only %ld descriptors are allowed", (long)limit.rlim_cur);
  int null = open("/dev/null", O_RDWR);
  highest = dup2(null, limit.rlim_cur - 1);
  for (int i = 0; i < kMany; ++i) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    fds[i] = open(in_directory(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT(fds[i] >= 0);
    EXPECT_EQ(write(fds[i], &i, 4), 4);
  }
}

static void verify(void) {
  EXPECT_EQ(write(highest, "x", 1), 1);
  for (int i = 0; i < kMany; ++i) {
    int value = -1;
    EXPECT_EQ(pread(fds[i], &value, 4, 0), 4);
    EXPECT_EQ(value, i);
    EXPECT_EQ(lseek(fds[i], 0, SEEK_CUR), 4);
  }
}
