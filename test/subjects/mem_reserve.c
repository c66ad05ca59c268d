// A reserve of 8 TiB without access costs nothing, stays reserved, and its few used pages come back.
#include "subject.h"

static const size_t kSize = 8UL << 40;
static char *base;

static void setup(void) {
  base = mmap(NULL, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) skip("8 TiB cannot be reserved: %s", strerror(errno));
  EXPECT(!mprotect(base + kSize / 2, 8192, PROT_READ | PROT_WRITE));
  fill(base + kSize / 2, 8192, 1);
}

static void verify(void) {
  EXPECT_EQ(first_wrong(base + kSize / 2, 8192, 1), -1);
  EXPECT(mmap(base + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
  char *page = base + kSize / 4 + generation * 4096L;
  EXPECT(!mprotect(page, 4096, PROT_READ | PROT_WRITE));
  for (int i = 0; i < 4096; ++i) EXPECT(page[i] == 0);
  page[0] = 1;
}
