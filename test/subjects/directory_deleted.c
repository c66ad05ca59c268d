// A current directory that was removed: still removed, ".." and new files fail as before.
#include "subject.h"

static void setup(void) {
  mkdir(in_directory("gone"), 0700);
  EXPECT(!chdir(in_directory("gone")));
  EXPECT(!rmdir(in_directory("gone")));
}

static void verify(void) {
  char text[4096];
  struct stat s;
  EXPECT(!getcwd(text, sizeof text) && errno == ENOENT);
  EXPECT(open("new", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
  EXPECT(!stat(".", &s) && S_ISDIR(s.st_mode) && s.st_nlink == 0);
  EXPECT(access(in_directory("gone"), F_OK) < 0);
}
