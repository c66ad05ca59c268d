// A userfaultfd cannot be carried: refused by name, the program goes on.
// mig-test: refused=MIG0040
#include <linux/userfaultfd.h>

#include "subject.h"

static int fd;

static void setup(void) {
  fd = syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY | O_CLOEXEC);
  if (fd < 0) skip("userfaultfd: %s", strerror(errno));
}
static void verify(void) { EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC); }
