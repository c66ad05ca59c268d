// Mappings of a file that has no name any more, shared (twice) and private: contents travel in the image, sharing stays.
#include "subject.h"

enum { kSize = 4 * 4096 };
static char *shared, *again, *private;

static void setup(void) {
  int fd = open(in_directory("gone"), O_RDWR | O_CREAT, 0600);
  char data[kSize];
  fill(data, kSize, 1);
  EXPECT_EQ(write(fd, data, kSize), kSize);
  shared = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  again = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  private = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  private[4096] = 42;
  close(fd);
  EXPECT(!unlink(in_directory("gone")));
}

static void verify(void) {
  char data[kSize];
  fill(data, kSize, 1);
  data[0] = shared[0];
  EXPECT_EQ((unsigned char)shared[0], (unsigned char)again[0]);
  EXPECT(!memcmp(shared, data, kSize));
  EXPECT(!memcmp(private + 8192, data + 8192, 8192));
  EXPECT_EQ(private[4096], 42);
  shared[0] = 50 + generation;
  EXPECT_EQ(again[0], 50 + generation);
  EXPECT(access(in_directory("gone"), F_OK) != 0);
}
