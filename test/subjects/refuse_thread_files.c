// A thread that has a table of descriptors of its own (unshare(CLONE_FILES)): refused by name, all go on.
// mig-test: refused=MIG0043
#include <sched.h>

#include "subject.h"

static atomic_int stands, fd = -1;

static void* open_alone(void* unused) {
  EXPECT(!unshare(CLONE_FILES));
  fd = open("/dev/null", O_RDWR);
  stands = 1;
  for (;;) {
    if (fcntl(fd, F_GETFD) < 0) fail("the thread's descriptor is gone");
    sleep_ms(2);
  }
}
static void setup(void) {
  start_thread(open_alone, NULL);
  WAIT_FOR(stands);
}
static void verify(void) {
  EXPECT(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
}
