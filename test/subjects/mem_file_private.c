// A private mapping of a file: changed pages keep the change, the others show the file, the file is untouched.
#include "subject.h"

enum { kSize = 16 * 4096 };
static char *map, *tail;

static void setup(void) {
  int fd = open(in_directory("file"), O_RDWR | O_CREAT, 0600);
  char *data = malloc(kSize);
  fill(data, kSize, 1);
  EXPECT_EQ(write(fd, data, kSize - 100), kSize - 100);
  map = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  tail = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 8 * 4096);
  EXPECT(map != MAP_FAILED && tail != MAP_FAILED);
  fill(map + 4096, 4096, 2);
  close(fd);
}

static void verify(void) {
  char data[kSize], file[kSize];
  fill(data, kSize, 1);
  EXPECT_EQ(first_wrong(map + 4096, 4096, 2 + generation), -1);
  EXPECT(!memcmp(map, data, 4096) && !memcmp(map + 2 * 4096, data + 2 * 4096, kSize - 2 * 4096 - 100));
  EXPECT(map[kSize - 1] == 0);
  EXPECT(!memcmp(tail, data + 8 * 4096, 4096));
  int fd = open(in_directory("file"), O_RDONLY);
  EXPECT_EQ(read(fd, file, kSize), kSize - 100);
  EXPECT(!memcmp(file, data, kSize - 100));
  close(fd);
  fill(map + 4096, 4096, 3 + generation);
}
