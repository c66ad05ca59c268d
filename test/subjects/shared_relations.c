// Who shares descriptors or directory need not be parent and child: brothers whose parent has its own, a grandchild and its grandparent with
// somebody between them who does not, orphans, and one group for descriptors and another for the directory.
#include "members.h"

enum { kMakeBrother = 1, kMakeLow, kMakeOrphans, kMakeCrossed, kOpen, kClose, kLookOpen, kLookClosed, kGo, kLookThere, kLookAway, kEnd };
enum { kFirst, kBrother1, kBrother2, kMiddle, kLow, kMaker, kOrphan1, kOrphan2, kCross, kCross1, kCross2, kCount };

/// Who has the same number has the same table.
static const int files_of[kCount] = {0, 1, 1, 2, 0, -1, 3, 3, 4, 4, 5};
static const int directory_of[kCount] = {0, 1, 1, 0, 0, -1, 2, 3, 4, 5, 4};

static int *number;  ///< shared memory: the descriptor that is spoken of
static char *where;

static void serve(int order) {
  char now[4200];
  switch (order % 100) {
    case kMakeBrother: clone_member(kBrother2, serve, CLONE_PARENT | CLONE_FILES | CLONE_FS); break;
    case kMakeLow:
      clone_member(kLow, serve, CLONE_FILES | CLONE_FS);
      EXPECT(!unshare(CLONE_FILES));
      break;
    case kMakeOrphans:
      clone_member(kOrphan1, serve, CLONE_FILES);
      clone_member(kOrphan2, serve, CLONE_FILES);
      break;
    case kMakeCrossed:
      clone_member(kCross1, serve, CLONE_FILES);
      clone_member(kCross2, serve, CLONE_FS);
      break;
    case kOpen: EXPECT_EQ(dup2(0, *number), *number); break;
    case kClose: EXPECT(!close(*number)); break;
    case kLookOpen: EXPECT(fcntl(*number, F_GETFD) == 0); break;
    case kLookClosed: EXPECT(fcntl(*number, F_GETFD) < 0); break;
    case kGo: EXPECT(!chdir(where)); break;
    case kLookThere: EXPECT_STR(getcwd(now, sizeof now), where); break;
    case kLookAway: EXPECT(getcwd(now, sizeof now) && strcmp(now, where)); break;
    case kEnd: _exit(0);
  }
}

static void ask(int index, int what) {
  if (index == kFirst) serve(what);
  else ask_member(index, what);
}

static void look_all(const int *group, int like, int same, int other) {
  for (int i = 0; i < kCount; ++i)
    if (group[i] >= 0) ask(i, group[i] == group[like] ? same : other);
}

static void setup(void) {
  number = (int *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  where = (char *)number + 4096;
  clone_member(kBrother1, serve, 0);
  ask(kBrother1, kMakeBrother);
  clone_member(kMiddle, serve, CLONE_FILES | CLONE_FS);
  ask(kMiddle, kMakeLow);
  clone_member(kCross, serve, 0);
  ask(kCross, kMakeCrossed);
  clone_member(kMaker, serve, 0);
  ask(kMaker, kMakeOrphans);
  order_member(kMaker, next_order(kEnd));
  EXPECT_EQ(waitpid(members[kMaker].pid, NULL, 0), members[kMaker].pid);
}

static void verify(void) {
  for (int i = 0; i < kCount; ++i) {
    if (files_of[i] < 0) continue;
    *number = 100 + i;
    ask(i, kOpen);
    look_all(files_of, i, kLookOpen, kLookClosed);
    ask(i, kClose);
    snprintf(where, 4096, "%s/at.%d.%d", directory, generation, i);
    EXPECT(!mkdir(where, 0700));
    ask(i, kGo);
    look_all(directory_of, i, kLookThere, kLookAway);
  }
}
