// Settings for all of a process's memory: no page that was writable becomes executable (PR_SET_MDWE), equal pages are merged.
#include <sys/prctl.h>

#include "subject.h"

enum { kSetMdwe = 65, kGetMdwe, kSetMerge, kGetMerge };  // linux/prctl.h, since Linux 6.3 and 6.4
static int merges;

static void setup(void) {
  if (prctl(kSetMdwe, 1, 0, 0, 0)) skip("this kernel has no PR_SET_MDWE");
  merges = !prctl(kSetMerge, 1, 0, 0, 0);
}
static void verify(void) {
  EXPECT_EQ(prctl(kGetMdwe, 0, 0, 0, 0), 1);
  void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EACCES);
  munmap(page, 4096);
  if (merges) EXPECT_EQ(prctl(kGetMerge, 0, 0, 0, 0), 1);
}
