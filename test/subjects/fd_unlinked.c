// Files without a name: unlinked (also from a removed directory) and O_TMPFILE. Contents, offset, size, and linkat of the latter.
#include "subject.h"

static int unlinked, twice, temporary, big;

static void setup(void) {
  char data[10000];
  fill(data, sizeof data, 1);
  mkdir(in_directory("sub"), 0700);
  unlinked = open(in_directory("sub/gone"), O_RDWR | O_CREAT, 0640);
  EXPECT_EQ(write(unlinked, data, sizeof data), sizeof data);
  twice = open(in_directory("sub/gone"), O_RDONLY);
  EXPECT(!unlink(in_directory("sub/gone")) && !rmdir(in_directory("sub")));
  temporary = open(in_directory("."), O_TMPFILE | O_RDWR, 0600);
  if (temporary >= 0) EXPECT_EQ(write(temporary, data, 5000), 5000);
  big = open(in_directory("big"), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(pwrite(big, data, 5000, 5L << 30), 5000);  // sparse: the hole must cost nothing
  EXPECT(!unlink(in_directory("big")));
  lseek(unlinked, 77, SEEK_SET);
}

static void verify(void) {
  char data[10000];
  struct stat s;
  EXPECT_EQ(lseek(unlinked, 0, SEEK_CUR), 77);
  EXPECT_EQ(pread(unlinked, data, sizeof data, 0), sizeof data);
  EXPECT_EQ(first_wrong(data, 100, 1 + generation), -1);
  EXPECT_EQ(pread(twice, data, sizeof data, 0), sizeof data);
  EXPECT_EQ(first_wrong(data, 100, 1 + generation), -1);
  EXPECT(!fstat(unlinked, &s) && s.st_nlink == 0 && (s.st_mode & 07777) == 0640);
  struct stat other;
  fstat(twice, &other);
  EXPECT_EQ(s.st_ino, other.st_ino);
  EXPECT(write(twice, "x", 1) < 0 && errno == EBADF);
  fill(data, 100, 2 + generation);
  EXPECT_EQ(pwrite(unlinked, data, 100, 0), 100);
  EXPECT_EQ(pread(twice, data, 100, 0), 100);
  EXPECT_EQ(first_wrong(data, 100, 2 + generation), -1);
  if (temporary >= 0) {
    EXPECT_EQ(lseek(temporary, 0, SEEK_CUR), 5000);
    EXPECT_EQ(pread(temporary, data, 5000, 0), 5000);
    EXPECT_EQ(first_wrong(data, 5000, 1), -1);
  }
  EXPECT_EQ(pread(big, data, 5000, 5L << 30), 5000);
  EXPECT_EQ(first_wrong(data, 5000, 1), -1);
  EXPECT(!fstat(big, &s) && s.st_blocks < 1000);
  EXPECT(access(in_directory("big"), F_OK) && access(in_directory("sub"), F_OK));
}
