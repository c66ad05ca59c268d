// A child of a child of a child, and twenty children: who is whose child, and that each can be waited for when it ends.
// mig-test: generations=3 timeout=120
#include "tree.h"

enum { kDepth = 3, kWide = 20 };
static pid_t children[kWide];

static void descend(int depth) {
  char name[32];
  while (depth < kDepth && fork() == 0) ++depth;
  snprintf(name, sizeof name, "deep-%d", depth);
  tree_member(name, NULL);
}

static void setup(void) {
  tree_enter("first");
  if (fork() == 0) descend(1);
  for (int i = 0; i < kWide; ++i) {
    char name[32];
    snprintf(name, sizeof name, "wide-%d", i);
    if ((children[i] = fork()) == 0) tree_member(name, NULL);
    tree_await(name);
  }
  for (int d = 1; d <= kDepth; ++d) {
    char name[32];
    snprintf(name, sizeof name, "deep-%d", d);
    tree_await(name);
  }
}

/// One child ends in each generation; a new one takes its place.
static void verify(void) {
  tree_ask_all();
  int i = generation % kWide, status = 0;
  char name[32], file[64];
  EXPECT_EQ(kill(children[i], SIGKILL), 0);
  EXPECT_EQ(waitpid(children[i], &status, 0), children[i]);
  EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  snprintf(name, sizeof name, "wide-%d", i);
  snprintf(file, sizeof file, "known.%s", name);
  unlink(in_directory(file));
}
