// A gigabyte that was mapped and hardly touched, pages written with zeros, and every second page used: all right, and quick.
// mig-test: timeout=60
#include "subject.h"

static const size_t kSize = 1UL << 30;
static char *sparse, *zeros, *half;
enum { kPart = 1024 * 4096 };

static void setup(void) {
  sparse = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  zeros = mmap(NULL, kPart, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  half = mmap(NULL, kPart, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; at < kSize; at += kSize / 16) sparse[at] = 1 + at / (kSize / 16);
  memset(zeros, 0, kPart);
  for (int page = 0; page < 1024; page += 2) fill(half + page * 4096, 4096, page);
}

static void verify(void) {
  for (size_t at = 0; at < kSize; at += kSize / 16) EXPECT_EQ(sparse[at], 1 + at / (kSize / 16));
  for (int i = 0; i < kPart; ++i)
    if (zeros[i]) fail("byte %d of the zeros is %d", i, zeros[i]);
  for (int page = 0; page < 1024; ++page)
    if (page % 2 == 0) EXPECT_EQ(first_wrong(half + page * 4096, 4096, page), -1);
    else EXPECT(half[page * 4096] == 0 && half[page * 4096 + 4095] == 0);
}
