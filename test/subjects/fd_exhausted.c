// A program that has used up its soft limit of descriptors: all of them come back, and it is still at its limit.
#include <sys/resource.h>

#include "subject.h"

static int last;

static void setup(void) {
  struct rlimit limit;
  EXPECT(!getrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_max < 128) skip("no more than %ld descriptors are allowed", (long)limit.rlim_max);
  limit.rlim_cur = 64;
  EXPECT(!setrlimit(RLIMIT_NOFILE, &limit));
  for (int fd; (fd = open("/dev/null", O_RDWR)) >= 0;) last = fd;
  EXPECT_EQ(last, 63);
  close(60);  // one is left for the talk with the runner
}

static void verify(void) {
  struct rlimit limit;
  EXPECT(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == 64 && limit.rlim_max >= 128);
  for (int fd = 0; fd < 64; ++fd) EXPECT_EQ(fcntl(fd, F_GETFD) >= 0, fd != 60);
  EXPECT_EQ(open("/dev/null", O_RDWR), 60);
  EXPECT(open("/dev/null", O_RDWR) < 0 && errno == EMFILE);
  close(60);
}
