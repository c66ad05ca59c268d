// A request of the kernel's asynchronous I/O that may never end is refused by name; it, and a wait for its event, are none the worse.
// mig-test: refused=MIG0041
#include <poll.h>
#include <sys/eventfd.h>

#include "lib/aio_calls.h"

static aio_context_t context;
static int fd;
static atomic_int events;
static struct iocb request;

static void *wait_for_event(void *unused) {
  struct io_event event[3];
  EXPECT_EQ(get_events(context, 3, 3, event), 3);
  EXPECT_EQ(event[0].data, 1);
  EXPECT_EQ(event[1].data, 2);
  EXPECT_EQ(event[2].data, 7);
  EXPECT_EQ(event[2].res, POLLIN);
  events = 3;
  return unused;
}

static void setup(void) {
  context = new_context(4);
  fd = eventfd(0, 0);
  request = (struct iocb){.aio_data = 7, .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = POLLIN};
  submit(context, &request, 1);
  int zero = open("/dev/zero", O_RDONLY);
  char byte;
  submit_read(context, zero, &byte, 1, 1);
  submit_read(context, zero, &byte, 1, 2);
  start_thread(wait_for_event, NULL);
}
static void verify(void) {
  EXPECT_EQ(events, generation ? 3 : 0);
  EXPECT_EQ(write(fd, &(uint64_t){1}, 8), 8);
  WAIT_FOR(events == 3);
}
