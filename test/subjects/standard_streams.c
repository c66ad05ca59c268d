// Standard input, output and error as files of the runner: still there, still the same.
#include "subject.h"

static struct stat before[3];

static void setup(void) {
  for (int i = 0; i < 3; ++i) EXPECT(!fstat(i, &before[i]));
}
static void verify(void) {
  for (int i = 0; i < 3; ++i) {
    struct stat s;
    EXPECT(!fstat(i, &s));
    EXPECT_EQ(s.st_ino, before[i].st_ino);
  }
  EXPECT(dprintf(2, "generation %d\n", generation) > 0);
}
