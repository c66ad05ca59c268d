// The calls of the kernel's asynchronous I/O, for which libc has no functions.
#pragma once
#include <linux/aio_abi.h>

#include "../subject.h"

struct ring {  // fs/aio.c
  unsigned id, entries, head, tail, magic, compatible, incompatible, header_size;
  struct io_event events[];
};

static aio_context_t new_context(unsigned requests) {
  aio_context_t context = 0;
  EXPECT(!syscall(SYS_io_setup, requests, &context));
  return context;
}

static long get_events(aio_context_t context, long least, long most, struct io_event *events) {
  return syscall(SYS_io_getevents, context, least, most, events, NULL);
}

/// Makes requests 0 .. count - 1 of an array.
__attribute__((unused)) static void submit(aio_context_t context, struct iocb *requests, int count) {
  struct iocb *list[count];
  for (int i = 0; i < count; ++i) list[i] = &requests[i];
  EXPECT_EQ(syscall(SYS_io_submit, context, (long)count, list), count);
}

/// A read that ends at once, with a number by which its event is known.
__attribute__((unused)) static void submit_read(aio_context_t context, int fd, void *to, size_t size, long number) {
  struct iocb request = {.aio_data = number, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = (uintptr_t)to, .aio_nbytes = size};
  submit(context, &request, 1);
}
