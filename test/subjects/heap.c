// malloc at work in four threads, checkpointed anywhere inside it; contents of what is held are right throughout.
// mig-test: allocators
#include "subject.h"

static atomic_long rounds[4];

static void *worker(void *argument) {
  long me = (long)argument;
  unsigned seed = 1 + me;
  struct {
    char *p;
    size_t size;
  } held[200] = {{0}};
  for (;;) {
    unsigned i = (seed = seed * 1103515245 + 12345) / 65536 % 200;
    if (held[i].p && first_wrong(held[i].p, held[i].size < 64 ? held[i].size : 64, i) >= 0) fail("block %u of thread %ld changed", i, me);
    free(held[i].p);
    held[i].size = 1 + (seed / 7) % (i % 20 ? 3000 : 400000);
    held[i].p = malloc(held[i].size);
    fill(held[i].p, held[i].size < 64 ? held[i].size : 64, i);
    atomic_fetch_add(&rounds[me], 1);
    if (seed % 64 == 0) sleep_ms(1);
  }
}

static void setup(void) {
  for (long i = 0; i < 4; ++i) start_thread(worker, (void *)i);
}

static void verify(void) {
  for (int i = 0; i < 4; ++i) {
    long before = rounds[i];
    WAIT_FOR(rounds[i] > before + 500);
  }
}
