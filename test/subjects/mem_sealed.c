// A sealed mapping is sealed again: it can be neither unmapped nor made writable.
#include "subject.h"

static char *area;

static void setup(void) {
  area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(area, 8192, 1);
  EXPECT(!mprotect(area, 8192, PROT_READ));
  if (syscall(462, area, 8192, 0)) skip("mseal: %s", strerror(errno));
}

static void verify(void) {
  EXPECT_EQ(first_wrong(area, 8192, 1), -1);
  EXPECT(mprotect(area, 8192, PROT_READ | PROT_WRITE) && errno == EPERM);
  EXPECT(munmap(area, 8192) && errno == EPERM);
}
