// The program break: same place, same contents, and it still moves both ways.
#include "subject.h"

static char *start, *end;

static void setup(void) {
  start = sbrk(1 << 20);
  EXPECT(start != (void *)-1);
  end = sbrk(0);
  fill(start, 1 << 20, 5);
}

static void verify(void) {
  EXPECT(sbrk(0) == end);
  EXPECT_EQ(first_wrong(start, 1 << 20, 5), -1);
  EXPECT(sbrk(300000) == end);
  for (int i = 0; i < 300000; ++i) EXPECT(end[i] == 0);
  memset(end, 1, 300000);
  EXPECT(sbrk(-300000) == end + 300000);
  EXPECT(sbrk(0) == end);
}
