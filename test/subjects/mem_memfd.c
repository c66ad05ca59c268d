// A memfd: contents, seals, name and the sharing between its descriptor and two mappings.
#include "subject.h"

static int fd;
static char *a, *b;

static void setup(void) {
  fd = memfd_create("subject memory", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  EXPECT(fd >= 0 && !ftruncate(fd, 3 * 4096 + 10));
  a = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
  fill(a + 4096, 100, 1);
  b[200] = 9;
  EXPECT(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  lseek(fd, 5, SEEK_SET);
}

static void verify(void) {
  char link[100] = "", path[64];
  struct stat s;
  EXPECT_EQ(first_wrong(a + 4096, 100, 1 + generation), -1);
  EXPECT_EQ(b[200], 9);
  EXPECT_EQ(a[4096 + 200], 0);
  EXPECT(!fstat(fd, &s));
  EXPECT_EQ(s.st_size, 3 * 4096 + 10);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5);
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT(ftruncate(fd, 5 * 4096) < 0 && errno == EPERM);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  EXPECT(readlink(path, link, sizeof link - 1) > 0);
  EXPECT_STR(link, "/memfd:subject memory (deleted)");
  char data[100];
  fill(data, 100, 2 + generation);
  EXPECT_EQ(pwrite(fd, data, 100, 4096), 100);
  EXPECT_EQ(first_wrong(a + 4096, 100, 2 + generation), -1);
}
