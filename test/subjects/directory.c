// The current directory and the umask; relative paths work.
#include "subject.h"

static void setup(void) {
  mkdir(in_directory("some where"), 0700);
  EXPECT(!chdir(in_directory("some where")));
  umask(027);
}

static void verify(void) {
  char text[4096];
  struct stat s;
  EXPECT(getcwd(text, sizeof text));
  EXPECT_STR(text, in_directory("some where"));
  int fd = open("here", O_CREAT | O_WRONLY | O_TRUNC, 0666);
  EXPECT(!fstat(fd, &s) && (s.st_mode & 0777) == 0640);
  close(fd);
  EXPECT(!unlink("here"));
  EXPECT_EQ(umask(027), 027);
}
