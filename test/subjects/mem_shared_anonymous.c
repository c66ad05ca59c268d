// Shared anonymous memory mapped twice: both places still show the same bytes.
#include "subject.h"

enum { kSize = 32 * 4096 };
static char *first, *second;

static void setup(void) {
  first = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(first != MAP_FAILED);
  second = mremap(first, 0, kSize, MREMAP_MAYMOVE);
  EXPECT(second != MAP_FAILED && second != first);
  fill(first, kSize / 2, 3);
}

static void verify(void) {
  EXPECT_EQ(first_wrong(first, kSize / 2, 3 + generation), -1);
  EXPECT_EQ(first_wrong(second, kSize / 2, 3 + generation), -1);
  for (int i = kSize / 2; i < kSize; ++i) EXPECT(second[i] == 0);
  fill(second, kSize / 2, 4 + generation);
  EXPECT_EQ(first_wrong(first, kSize / 2, 4 + generation), -1);
}
