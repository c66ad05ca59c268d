// eventfd: count, semaphore mode, flags, and one that is full.
#include <sys/eventfd.h>

#include "subject.h"

static int counter, semaphore, full;

static void setup(void) {
  uint64_t n = UINT64_MAX - 1;
  counter = eventfd(77, EFD_NONBLOCK | EFD_CLOEXEC), semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), full = eventfd(0, EFD_NONBLOCK);
  EXPECT_EQ(write(full, &n, 8), 8);
}

static void verify(void) {
  uint64_t n = 0;
  EXPECT(read(counter, &n, 8) == 8 && n == 77 + (uint64_t)generation);
  EXPECT(read(counter, &n, 8) < 0 && errno == EAGAIN);
  n = 78 + generation;
  EXPECT_EQ(write(counter, &n, 8), 8);
  EXPECT_EQ(fcntl(counter, F_GETFD), FD_CLOEXEC);
  EXPECT(read(semaphore, &n, 8) == 8 && n == 1);
  EXPECT(read(semaphore, &n, 8) == 8 && n == 1);
  n = 2;
  EXPECT_EQ(write(semaphore, &n, 8), 8);
  n = 1;
  EXPECT(write(full, &n, 8) < 0 && errno == EAGAIN);
}
