// Contexts of the kernel's asynchronous I/O: idle, with unread events, round the end of the ring, full; their ids; a child of fork,
// which sees the memory of its parent's ring but has only contexts of its own.
#include "lib/aio_calls.h"

enum { kContexts = 4 };
static aio_context_t contexts[kContexts];
static const unsigned sizes[kContexts] = {1, 40, 200, 1000};
static long made[kContexts], seen[kContexts];  // requests, numbered
static unsigned head[kContexts], tail[kContexts];
static int data, child_ends[2], parent_ends[2];
static char buffer[16];

static struct ring *ring_of(int i) { return (struct ring *)contexts[i]; }

static void make(int i, long count) {
  for (; count; --count) submit_read(contexts[i], data, buffer, 5, ++made[i]);
}

static void take(int i, long count) {
  struct io_event event;
  for (; count; --count) {
    EXPECT_EQ(get_events(contexts[i], 1, 1, &event), 1);
    EXPECT_EQ(event.data, ++seen[i]);
    EXPECT_EQ(event.res, 5);
  }
}

static void note(void) {
  for (int i = 0; i < kContexts; ++i) head[i] = ring_of(i)->head, tail[i] = ring_of(i)->tail;
}

static void child(void) {
  struct io_event event;
  char go;
  close(parent_ends[1]);  // so that it ends with its parent
  EXPECT_EQ(get_events(contexts[0], 0, 0, NULL), -1);
  EXPECT_EQ(ring_of(0)->magic, 0xa10a10a1);
  aio_context_t own = new_context(8);
  for (long round = 1;; ++round) {
    submit_read(own, data, buffer, 5, round);
    EXPECT(write(child_ends[1], failed_once ? "n" : "y", 1) == 1);
    if (read(parent_ends[0], &go, 1) != 1) _exit(0);
    EXPECT_EQ(get_events(own, 1, 1, &event), 1);
    EXPECT_EQ(event.data, round);
    EXPECT_EQ(get_events(contexts[0], 0, 0, NULL), -1);
    EXPECT_EQ(ring_of(0)->magic, 0xa10a10a1);
  }
}

static void await_child(void) {
  char answer = 0;
  EXPECT(read(child_ends[0], &answer, 1) == 1 && answer == 'y');
}

static void setup(void) {
  data = open(in_directory("data"), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(data, "hello", 5), 5);
  for (int i = 0; i < kContexts; ++i) contexts[i] = new_context(sizes[i]);
  for (int i = 1; i < kContexts; ++i) make(i, 3 * i), take(i, i);
  while (ring_of(2)->tail < ring_of(2)->entries - 2) make(2, 1), take(2, 1);
  make(2, 5);  // round the end
  EXPECT(ring_of(2)->tail < ring_of(2)->head);
  make(3, 990);
  EXPECT(!pipe(child_ends) && !pipe(parent_ends));
  if (!fork()) child();
  close(parent_ends[0]);
  await_child();
  note();
}

static void verify(void) {
  for (int i = 0; i < kContexts; ++i) {
    EXPECT_EQ(ring_of(i)->head, head[i]);
    EXPECT_EQ(ring_of(i)->tail, tail[i]);
    EXPECT_EQ(get_events(contexts[i], 0, 1, NULL), made[i] == seen[i] ? 0 : -1);
    take(i, made[i] - seen[i]);
    struct io_event event;
    EXPECT_EQ(syscall(SYS_io_getevents, contexts[i], 0L, 1L, &event, NULL), 0);
    for (unsigned n = 0; n < 3 * ring_of(i)->entries; ++n) make(i, 1), take(i, 1);
    make(i, sizes[i] / 2 + generation);
  }
  aio_context_t another = new_context(3);
  EXPECT(!syscall(SYS_io_destroy, another));
  EXPECT(!syscall(SYS_io_destroy, contexts[1]));
  made[1] = seen[1] = 0;
  contexts[1] = new_context(sizes[1]);
  EXPECT_EQ(write(parent_ends[1], "g", 1), 1);
  await_child();
  note();
}
