// A MAP_GROWSDOWN mapping and the program's own stack still grow after the restart.
#include "subject.h"

enum { kPageSize = 4096, kRoom = 4096 * kPageSize, kFirst = 4 * kPageSize, kStep = 128 * kPageSize };

static char* base;

__attribute__((noinline)) static int deep(int depth) {
  volatile char frame[4096];
  frame[0] = depth;
  return depth ? deep(depth - 1) + frame[0] - (char)depth : 0;
}

static void setup(void) {
  char* room = mmap(NULL, kRoom, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  munmap(room, kRoom);
  base = mmap(room + kRoom - 2 * kFirst, kFirst, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
              -1, 0);
  EXPECT(base != MAP_FAILED);
  base[0] = 1;
}

static void verify(void) {
  EXPECT_EQ(base[0], 1);
  base[-kStep * (generation + 1)] = 1;
  EXPECT_EQ(deep(400 + 400 * generation), 0);
}
