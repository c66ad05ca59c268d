// What madvise, mlock and friends left on mappings (VmFlags of /proc/self/smaps) is there again.
#include "subject.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
static const struct {
  int advice;
  const char *flag;
} kinds[] = {{MADV_DONTFORK, "dc"}, {MADV_DONTDUMP, "dd"}, {MADV_HUGEPAGE, "hg"}, {MADV_NOHUGEPAGE, "nh"}, {MADV_MERGEABLE, "mg"},
             {MADV_WIPEONFORK, "wf"}, {MADV_SEQUENTIAL, "sr"}, {MADV_RANDOM, "rr"}, {-1, "lo"}, {-2, "nr"}, {-3, "gd"}, {-4, "dp"}};
enum { kKinds = sizeof kinds / sizeof *kinds, kSize = 4 << 20 };
static char *area[kKinds];
static char before[kKinds][256];

static void setup(void) {
  for (int i = 0; i < kKinds; ++i) {
    int a = kinds[i].advice;
    int extra = a == -2 ? MAP_NORESERVE : a == -3 ? MAP_GROWSDOWN : 0;
    char *p = mmap(NULL, kSize + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    area[i] = mmap(p + 4096, kSize, PROT_READ | PROT_WRITE, (a == -4 ? MAP_DROPPABLE : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED | extra, -1, 0);
    if (area[i] == MAP_FAILED) {
      area[i] = NULL;  // the kernel does not know it
      continue;
    }
    if (a >= 0 && madvise(area[i], kSize, a)) area[i] = NULL;
    if (a == -1 && mlock(area[i], 65536)) area[i] = NULL;
    if (area[i]) {
      if (a != -4) fill(area[i], 10000, i);
      snprintf(before[i], sizeof before[i], "%s", smaps_field(area[i], "VmFlags"));
      EXPECT(strstr(before[i], kinds[i].flag));
    }
  }
}

static void verify(void) {
  for (int i = 0; i < kKinds; ++i)
    if (area[i]) {
      EXPECT_STR(smaps_field(area[i], "VmFlags"), before[i]);
      if (kinds[i].advice != -4) EXPECT_EQ(first_wrong(area[i], 10000, i), -1);
    }
}
