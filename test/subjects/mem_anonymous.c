// Private anonymous memory with every protection: contents come back, and the memory is anonymous again
// (MADV_DONTNEED gives zeros, not the bytes of an image).
// mig-test: allocators
#include "subject.h"

enum { kSize = 64 * 4096 };
static const int protections[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC};
static char *area[5];

static void setup(void) {
  for (int i = 0; i < 5; ++i) {
    area[i] = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(area[i] != MAP_FAILED);
    fill(area[i], kSize / 2, i);
    EXPECT(!mprotect(area[i], kSize, protections[i]));
  }
}

static void verify(void) {
  for (int i = 0; i < 5; ++i) {
    if (protections[i] == PROT_NONE) {
      char vec[kSize / 4096];
      EXPECT(write(-1, area[i], 1) < 0 && errno == EBADF);
      int fd = open("/dev/null", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
      EXPECT(read(zero, area[i], 1) < 0 && errno == EFAULT);  // still no access
      close(fd), close(zero);
      EXPECT(!mincore(area[i], kSize, (unsigned char *)vec));
    } else if (!(protections[i] & PROT_WRITE)) {
      int zero = open("/dev/zero", O_RDONLY);
      EXPECT(read(zero, area[i], 1) < 0 && errno == EFAULT);
      close(zero);
    }
    EXPECT(!mprotect(area[i], kSize, PROT_READ | PROT_WRITE));
    EXPECT_EQ(first_wrong(area[i], kSize / 2, i + generation), -1);
    for (int at = kSize / 2; at < kSize; ++at) EXPECT(area[i][at] == 0);
    EXPECT(!madvise(area[i], kSize, MADV_DONTNEED));
    for (int at = 0; at < kSize; ++at) EXPECT(area[i][at] == 0);
    fill(area[i], kSize / 2, i + generation + 1);
    EXPECT(!mprotect(area[i], kSize, protections[i]));
  }
}
