// Requests of the kernel's asynchronous I/O that are under way when the checkpoint comes: their data and events are neither lost nor doubled.
// mig-test: shaken
#include "lib/aio_calls.h"

enum { kDepth = 16, kBlock = 256 << 10, kBlocks = 64 };
static aio_context_t context;
static struct iocb requests[kDepth];
static char *buffers[kDepth];
static long number;
static int fd, check;
static atomic_int laps;

static void start(int slot) {
  int block = number % kBlocks;
  fill(buffers[slot], kBlock, ++number);
  requests[slot] = (struct iocb){.aio_data = number, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_nbytes = kBlock};
  requests[slot].aio_buf = (uintptr_t)buffers[slot], requests[slot].aio_offset = (long)block * kBlock;
  submit(context, &requests[slot], 1);
}

static void *keep_writing(void *unused) {
  struct io_event events[kDepth];
  for (int i = 0; i < kDepth; ++i) start(i);
  for (long ended = 0; !failed_once;) {
    long n = get_events(context, 1, kDepth, events);
    EXPECT(n >= 1);
    for (long i = 0; i < n; ++i, ++ended) {
      struct iocb *request = (struct iocb *)events[i].obj;
      EXPECT(request >= requests && request < requests + kDepth);
      if (failed_once) return unused;
      EXPECT_EQ(events[i].res, kBlock);
      EXPECT_EQ(events[i].data, request->aio_data);
      EXPECT_EQ(first_wrong(buffers[request - requests], kBlock, request->aio_data), -1);
      EXPECT_EQ(pread(check, buffers[request - requests], kBlock, request->aio_offset), kBlock);
      EXPECT_EQ(first_wrong(buffers[request - requests], kBlock, request->aio_data), -1);
      start(request - requests);
    }
    laps = ended / kBlocks;
  }
  return unused;
}

static void setup(void) {
  fd = open(in_directory("data"), O_RDWR | O_CREAT | O_DIRECT, 0600);
  if (fd < 0) skip("no O_DIRECT here");
  check = open(in_directory("data"), O_RDONLY | O_DIRECT);
  EXPECT(!posix_fallocate(fd, 0, (long)kBlocks * kBlock));
  for (int i = 0; i < kDepth; ++i) EXPECT(!posix_memalign((void **)&buffers[i], 4096, kBlock));
  context = new_context(kDepth);
  start_thread(keep_writing, NULL);
  WAIT_FOR(laps >= 1 || failed_once);
}

static void verify(void) {
  int now = laps;
  WAIT_FOR(laps >= now + 2 || failed_once);
}
