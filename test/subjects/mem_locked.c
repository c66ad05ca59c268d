// mlockall for what will be mapped, and a region locked on fault: the flags and the locked amount are back.
#include "subject.h"

static char *area, *lazy;
static char locked[64], flags[256];

static void setup(void) {
  area = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  lazy = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(lazy - 4096, 4096, PROT_READ);
  if (mlock(area, 65536) || mlock2(lazy, 65536, MLOCK_ONFAULT)) skip("mlock: %s", strerror(errno));
  lazy[0] = 1;
  snprintf(flags, sizeof flags, "%s", smaps_field(lazy, "VmFlags"));
  snprintf(locked, sizeof locked, "%s", field_of("/proc/self/status", "VmLck"));
}

static void verify(void) {
  EXPECT_STR(field_of("/proc/self/status", "VmLck"), locked);
  EXPECT_STR(smaps_field(lazy, "VmFlags"), flags);
  EXPECT_EQ(lazy[0], 1);
}
