// Files, a directory, a FIFO and a mapping that are open for what their modes forbid: made so, or changed since.
#include <dirent.h>

#include "subject.h"

static int made, closed, directory_fd, fifo;
static char *mapped;

static void setup(void) {
  made = open(in_directory("made"), O_RDWR | O_CREAT | O_EXCL, 0444);
  closed = open(in_directory("closed"), O_RDWR | O_CREAT, 0600);
  EXPECT(made >= 0 && closed >= 0 && !fchmod(closed, 0));
  EXPECT(!mkdir(in_directory("room"), 0700) && !mkfifo(in_directory("fifo"), 0600));
  directory_fd = open(in_directory("room"), O_RDONLY | O_DIRECTORY);
  EXPECT(directory_fd >= 0 && !fchmod(directory_fd, 0));
  fifo = open(in_directory("fifo"), O_RDWR);
  EXPECT(fifo >= 0 && !fchmod(fifo, 0));
  int fd = open(in_directory("mapped"), O_RDWR | O_CREAT | O_EXCL, 0400);
  EXPECT(fd >= 0 && !ftruncate(fd, 4096));
  mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(mapped != MAP_FAILED && !close(fd));
}

static void expect_mode(const char *name, mode_t mode) {
  struct stat s;
  EXPECT(!stat(in_directory(name), &s));
  EXPECT_EQ(s.st_mode & 07777, mode);
}

static void verify(void) {
  char text[8] = "";
  EXPECT_EQ(pwrite(made, "one", 3, 0), 3);
  EXPECT_EQ(pwrite(closed, "two", 3, 0), 3);
  EXPECT_EQ(pread(closed, text, 3, 0), 3);
  EXPECT_STR(text, "two");
  EXPECT(write(fifo, "x", 1) == 1 && read(fifo, text, 1) == 1);
  struct stat s;
  EXPECT(!fstat(directory_fd, &s) && S_ISDIR(s.st_mode));
  ++mapped[0];
  expect_mode("made", 0444);
  expect_mode("closed", 0);
  expect_mode("room", 0);
  expect_mode("fifo", 0);
  expect_mode("mapped", 0400);
}
