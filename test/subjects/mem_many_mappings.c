// 10,000 mappings of one page each.
// mig-test: timeout=90
#include "subject.h"

enum { kCount = 10000 };
static char *base;

static void setup(void) {
  base = mmap(NULL, kCount * 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < kCount; ++i) {
    *(int *)(base + i * 4096L) = i;
    if (i % 2) EXPECT(!mprotect(base + i * 4096L, 4096, PROT_READ));
  }
}

static void verify(void) {
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(*(int *)(base + i * 4096L), i + (i % 2 ? 0 : generation));
  for (int i = 0; i < kCount; i += 2) ++*(int *)(base + i * 4096L);
  int zero = open("/dev/zero", O_RDONLY);
  EXPECT(read(zero, base + 4096, 1) < 0 && errno == EFAULT);
  close(zero);
}
