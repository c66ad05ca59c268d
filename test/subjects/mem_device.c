// Mappings of /dev/zero: private ones are anonymous memory, shared ones a nameless object of their own.
#include "subject.h"

static char *private, *shared;

static void setup(void) {
  int fd = open("/dev/zero", O_RDWR);
  private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(private != MAP_FAILED && shared != MAP_FAILED);
  close(fd);
  fill(private, 5000, 1);
  fill(shared, 5000, 2);
}

static void verify(void) {
  EXPECT_EQ(first_wrong(private, 5000, 1), -1);
  EXPECT_EQ(first_wrong(shared, 5000, 2), -1);
  EXPECT_EQ(private[8191], 0);
}
