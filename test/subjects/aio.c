// POSIX asynchronous I/O (threads of libc) before and after.
#include <aio.h>

#include "subject.h"

static int fd;
static char data[4096];

static void setup(void) {
  fd = open(in_directory("file"), O_RDWR | O_CREAT, 0600);
  fill(data, sizeof data, 1);
}

static void verify(void) {
  struct aiocb cb = {.aio_fildes = fd, .aio_buf = data, .aio_nbytes = sizeof data, .aio_offset = 4096L * generation};
  const struct aiocb *list[] = {&cb};
  EXPECT(!aio_write(&cb));
  while (aio_error(&cb) == EINPROGRESS) aio_suspend(list, 1, NULL);
  EXPECT_EQ(aio_return(&cb), sizeof data);
}
