// An alternate stack that is hardly larger than needed, and a thread checkpointed while it runs a handler on it: it returns properly.
#include <sys/auxv.h>

#include "subject.h"

static atomic_int inside, leave, returned;
static char *base;
static size_t size;

static void on_usr1(int n, siginfo_t *info, void *context) {
  char here;
  stack_t s;
  EXPECT(&here > base && &here < base + size);
  EXPECT_EQ(info->si_value.sival_int, 4711);
  sigaltstack(NULL, &s);
  EXPECT_EQ(s.ss_flags, SS_ONSTACK);
  inside = 1;
  while (!leave) {
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
  }
  EXPECT(&here > base && &here < base + size);
  sigaltstack(NULL, &s);
  EXPECT_EQ(s.ss_flags, SS_ONSTACK);
}

static void *worker(void *unused) {
  size = 2 * getauxval(AT_MINSIGSTKSZ) + 2048;  // room for one signal on top, no more
  base = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  base += 65536 - size - 64;
  stack_t s = {.ss_sp = base, .ss_size = size};
  EXPECT(!sigaltstack(&s, NULL));
  for (;;) {
    pthread_sigqueue(pthread_self(), SIGUSR1, (union sigval){.sival_int = 4711});
    atomic_fetch_add(&returned, 1);
  }
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &a, NULL);
  start_thread(worker, NULL);
  WAIT_FOR(inside);
}

static void verify(void) {
  int before = returned;
  inside = 0;
  leave = 1;
  WAIT_FOR(returned > before);
  leave = 0;
  WAIT_FOR(inside);
}
