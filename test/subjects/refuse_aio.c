// A context of the kernel's asynchronous I/O is refused by name, and a wait for its events is none the worse for it.
// mig-test: refused=MIG0041
#include <linux/aio_abi.h>

#include "subject.h"

static aio_context_t context;
static atomic_int over;

static void* wait_for_events(void* unused) {
  const struct timespec limit = {600, 0};
  struct io_event event;
  over = syscall(SYS_io_getevents, context, 1L, 1L, &event, &limit) == 0 ? 1 : errno;
  return unused;
}

static void setup(void) {
  EXPECT_EQ(syscall(SYS_io_setup, 4, &context), 0);
  start_thread(wait_for_events, NULL);
}
static void verify(void) {
  struct io_event event;
  EXPECT_EQ(syscall(SYS_io_getevents, context, 0L, 1L, &event, NULL), 0);
  EXPECT_EQ(over, 0);
}
