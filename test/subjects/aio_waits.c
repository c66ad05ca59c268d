// Threads that wait for events of the kernel's asynchronous I/O, one of them for more than are there yet; a wait with a limit; an
// eventfd that is told of each event once.
#include <sys/eventfd.h>

#include "lib/aio_calls.h"

enum { kWaiters = 3 };
static aio_context_t contexts[kWaiters], told;
static atomic_int rounds[kWaiters], tids[kWaiters];
static int data, notified;
static char buffer[16];
static struct iocb request;
static int64_t begun;
static atomic_int timed_out;

static void *wait_for_events(void *argument) {
  long me = (long)argument;
  struct io_event event[3];
  for (tids[me] = gettid(); !failed_once;) {
    if (me) submit_read(contexts[me], data, buffer, 5, 0);  // which the wait takes at once
    if (me == 2) {
      struct {
        const void *mask;
        size_t size;
      } none = {NULL, 8};
      EXPECT_EQ(syscall(SYS_io_pgetevents, contexts[me], 3L, 3L, event, NULL, &none), 3);
    } else {
      EXPECT_EQ(get_events(contexts[me], 1 + 2 * me, 3, event), 1 + 2 * me);
    }
    for (int i = 0; i < (me ? 3 : 1); ++i) EXPECT_EQ(event[i].data, i);
    rounds[me]++;
  }
  return argument;
}

static void *wait_with_limit(void *unused) {
  struct timespec limit = {2, 500000000};
  struct io_event event[2];
  begun = now_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(syscall(SYS_io_getevents, told, 2L, 2L, event, &limit), 1);
  int64_t took = now_ns(CLOCK_MONOTONIC) - begun;
  if (took < 2490000000 || took > 5500000000) fail("a wait of 2.5 s took %ld ms", took / 1000000);
  timed_out = 1;
  return unused;
}

static int has_read_all(int i) {
  struct ring *ring = (struct ring *)contexts[i];
  return ring->head == ring->tail;
}

static void settle(void) {
  for (int i = 0; i < kWaiters; ++i)
    WAIT_FOR((call_of(tids[i]) == SYS_io_getevents || call_of(tids[i]) == SYS_io_pgetevents) && has_read_all(i));
}

static void setup(void) {
  data = open(in_directory("data"), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(data, "hello", 5), 5);
  told = new_context(5);
  notified = eventfd(0, EFD_NONBLOCK);
  request = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = data, .aio_buf = (uintptr_t)buffer, .aio_nbytes = 5};
  request.aio_flags = IOCB_FLAG_RESFD, request.aio_resfd = notified;
  submit(told, &request, 1);
  for (long i = 0; i < kWaiters; ++i) contexts[i] = new_context(5), start_thread(wait_for_events, (void *)i);
  start_thread(wait_with_limit, NULL);
  settle();
  sleep_ms(600);
}

static void verify(void) {
  uint64_t count = 0;
  EXPECT(read(notified, &count, 8) == 8 && count == 1);
  for (int i = 0; i < kWaiters; ++i) {
    EXPECT_EQ(rounds[i], generation);
    for (int n = i ? 1 : 0; n < (i ? 3 : 1); ++n) submit_read(contexts[i], data, buffer, 5, n);
    WAIT_FOR(rounds[i] == generation + 1);
  }
  WAIT_FOR(timed_out);
  struct io_event event;
  if (generation) EXPECT_EQ(get_events(told, 1, 1, &event), 1);
  submit(told, &request, 1);
  settle();
}
