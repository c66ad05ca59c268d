// So much memory that several threads load it: full, with every third page missing, and not writable.
// mig-test: timeout=60
#include <dirent.h>

#include "subject.h"

enum { kSize = 40 << 20, kPages = 4096, kPage = 4096 };
static char *full, *holes, *fixed;

static char *map(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static int threads(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/task");
  for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
  if (d) closedir(d);
  return n;
}

static void setup(void) {
  full = map(kSize), holes = map(kPages * kPage), fixed = map(kSize / 4);
  fill(full, kSize, 1);
  for (int page = 0; page < kPages; ++page)
    if (page % 3) fill(holes + page * kPage, kPage, page);
  fill(fixed, kSize / 4, 2);
  mprotect(fixed, kSize / 4, PROT_READ);
}

static void verify(void) {
  EXPECT_EQ(first_wrong(full, kSize, generation + 1), -1);
  EXPECT_EQ(first_wrong(fixed, kSize / 4, 2), -1);
  for (int page = 0; page < kPages; ++page)
    if (page % 3) EXPECT_EQ(first_wrong(holes + page * kPage, kPage, page), -1);
    else EXPECT(!holes[page * kPage] && !holes[page * kPage + kPage - 1]);
  EXPECT_EQ(threads(), 1);
  fill(full, kSize, generation + 2);
}
