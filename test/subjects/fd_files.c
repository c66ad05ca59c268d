// Regular files: offsets, status flags, close-on-exec, access mode, numbers with holes, and that each is the same file.
#include "subject.h"

static const struct {
  int flags, descriptor_flags, number;
  long offset;
} files[] = {{O_RDONLY, 0, 3, 5},           {O_WRONLY, 0, 9, 7},
             {O_RDWR | O_APPEND, 0, 50, 3}, {O_RDWR | O_NONBLOCK, FD_CLOEXEC, 51, 1L << 40},
             {O_WRONLY | O_SYNC, 0, 100, 0}, {O_RDWR | O_DSYNC | O_NOATIME, 0, 500, 2}};
enum { kFiles = sizeof files / sizeof *files };
static int flags[kFiles];
static ino_t inode[kFiles];

static const char *name(int i) {
  char text[32];
  snprintf(text, sizeof text, "file%d \n%%", i);
  return in_directory(text);
}

static void setup(void) {
  struct stat s;
  for (int i = 0; i < kFiles; ++i) {
    int fd = open(name(i), O_WRONLY | O_CREAT, 0600);
    write(fd, "0123456789", 10);
    close(fd);
    fd = open(name(i), files[i].flags);
    EXPECT(fd >= 0);
    if (fd != files[i].number) {
      EXPECT_EQ(dup2(fd, files[i].number), files[i].number);
      close(fd);
    }
    fd = files[i].number;
    fcntl(fd, F_SETFD, files[i].descriptor_flags);
    EXPECT_EQ(lseek(fd, files[i].offset, SEEK_SET), files[i].offset);
    flags[i] = fcntl(fd, F_GETFL);
    fstat(fd, &s);
    inode[i] = s.st_ino;
  }
}

static void verify(void) {
  struct stat s;
  char text[16];
  for (int i = 0; i < kFiles; ++i) {
    int fd = files[i].number;
    EXPECT_EQ(fcntl(fd, F_GETFL), flags[i]);
    EXPECT_EQ(fcntl(fd, F_GETFD), files[i].descriptor_flags);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), files[i].offset);
    EXPECT(!fstat(fd, &s));
    EXPECT_EQ(s.st_ino, inode[i]);
  }
  EXPECT_EQ(pread(3, text, 10, 0), 10);
  EXPECT(read(9, text, 1) < 0 && errno == EBADF);
  EXPECT_EQ(write(50, "a", 1), 1);  // appends wherever the offset is
  EXPECT_EQ(lseek(50, 0, SEEK_CUR), 11 + generation);
  lseek(50, 3, SEEK_SET);
  EXPECT(fcntl(4, F_GETFD) < 0 && fcntl(49, F_GETFD) < 0 && fcntl(501, F_GETFD) < 0);
}
