// No descriptor is left under the hard limit: the checkpoint is refused by name, the program goes on.
// mig-test: refused=MIG0047 user
#include <sys/resource.h>

#include "subject.h"

static int last;

static void setup(void) {
  struct rlimit limit = {64, 64};
  EXPECT(!setrlimit(RLIMIT_NOFILE, &limit));
  for (int fd; (fd = open("/dev/null", O_RDWR)) >= 0;) last = fd;
  close(last);  // for the talk with the runner
}

static void verify(void) {
  EXPECT_EQ(open("/dev/null", O_RDWR), last);
  EXPECT(open("/dev/null", O_RDWR) < 0 && errno == EMFILE);
  close(last);
}
