// A child under a seccomp filter that knows only what the child calls: the checkpoint is refused by name, and no signal ends the child.
// mig-test: refused=MIG0043
#include "confined.h"

static int to_child[2], from_child[2];

static void setup(void) {
  char c;
  EXPECT(!pipe(to_child) && !pipe(from_child));
  pid_t child = fork();
  if (!child) {
    close(to_child[1]), close(from_child[0]);
    if (confine_self()) _exit(1);
    do c = 'x', write(from_child[1], &c, 1);
    while (read(to_child[0], &c, 1) == 1);
    _exit(0);
  }
  close(to_child[0]), close(from_child[1]);
  if (read(from_child[0], &c, 1) != 1) skip("no seccomp filters");
}

static void verify(void) {
  char c = 'y';
  EXPECT_EQ(write(to_child[1], &c, 1), 1);
  EXPECT_EQ(read(from_child[0], &c, 1), 1);
}
