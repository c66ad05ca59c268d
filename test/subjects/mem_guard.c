// Guard pages still guard: a touch raises SIGSEGV with the right address and code. Both kinds: PROT_NONE and MADV_GUARD_INSTALL.
#include <setjmp.h>

#include "subject.h"
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static char *area;
static int guard_regions;
static sigjmp_buf out;
static siginfo_t seen;

static void on_fault(int n, siginfo_t *info, void *c) {
  seen = *info;
  siglongjmp(out, 1);
}

static void expect_fault(volatile char *at) {
  memset(&seen, 0, sizeof seen);
  if (!sigsetjmp(out, 1)) {
    at[0] = 1;
    fail("no fault at %p", (void *)at);
  }
  EXPECT(seen.si_addr == at);
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  area = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(area, 1, 16 * 4096);
  EXPECT(!mprotect(area + 4 * 4096, 4096, PROT_NONE));
  guard_regions = !madvise(area + 10 * 4096, 2 * 4096, MADV_GUARD_INSTALL);
}

static void verify(void) {
  expect_fault(area + 4 * 4096 + 17);
  EXPECT_EQ(seen.si_code, SEGV_ACCERR);
  if (guard_regions) {
    expect_fault(area + 10 * 4096);
    expect_fault(area + 11 * 4096 + 4095);
  }
  EXPECT_EQ(area[9 * 4096], 1);
  EXPECT_EQ(area[12 * 4096], 1);
}
