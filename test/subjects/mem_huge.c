// Transparent huge pages, some of which are huge again after a restart, and (where the machine has any) explicit ones.
#include "subject.h"

static char *huge, *explicit_pages;
static int were_huge;
enum { kSize = 8 << 20 };

static void setup(void) {
  char *p = mmap(NULL, 2 * kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  huge = (char *)(((uintptr_t)p + kSize - 1) & ~(uintptr_t)(kSize - 1));
  madvise(huge, kSize, MADV_HUGEPAGE);
  fill(huge, kSize, 1);
  were_huge = atoi(smaps_field(huge, "AnonHugePages"));
  explicit_pages = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (explicit_pages != MAP_FAILED) fill(explicit_pages, 2 << 20, 2);
}

static void verify(void) {
  EXPECT_EQ(first_wrong(huge, kSize, 1), -1);
  if (were_huge) EXPECT(atoi(smaps_field(huge, "AnonHugePages")) > 0);
  if (explicit_pages != MAP_FAILED) {
    EXPECT_EQ(first_wrong(explicit_pages, 2 << 20, 2), -1);
    EXPECT_EQ(atoi(smaps_field(explicit_pages, "KernelPageSize")), 2048);
  }
}
