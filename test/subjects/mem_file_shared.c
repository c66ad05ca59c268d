// A shared mapping of a file stays the file: what is stored there is in the file and in a second mapping, and the file's time moves on.
// So does a file that was mapped under another name than it has now (sem_open gives a semaphore its name in that way).
#include "subject.h"

static unsigned *map, *again, *renamed;

static unsigned* shared_page(const char* name) {
  int fd = open(in_directory(name), O_RDWR | O_CREAT, 0600);
  EXPECT(!ftruncate(fd, 4096));
  unsigned* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(page != MAP_FAILED);
  close(fd);
  return page;
}

static void setup(void) {
  int fd = open(in_directory("file"), O_RDWR | O_CREAT, 0600);
  EXPECT(!ftruncate(fd, 8 * 4096));
  map = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  again = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  EXPECT(map != MAP_FAILED && again != MAP_FAILED);
  map[1024] = 77;
  close(fd);
  char first[4200];
  snprintf(first, sizeof first, "%s", in_directory("first"));
  renamed = shared_page("first");
  EXPECT(!link(first, in_directory("second")) && !unlink(first));
}

static void verify(void) {
  unsigned value = 0;
  struct stat before, after;
  EXPECT_EQ(map[1024], 77 + generation);
  EXPECT_EQ(again[0], 77 + generation);
  EXPECT(!msync(map, 8 * 4096, MS_SYNC));  // from here on the next store is noticed
  EXPECT(!stat(in_directory("file"), &before));
  sleep_ms(20);
  map[1024] = 78 + generation;
  EXPECT_EQ(again[0], 78 + generation);
  int fd = open(in_directory("file"), O_RDONLY);
  EXPECT_EQ(pread(fd, &value, 4, 4096), 4);
  EXPECT_EQ(value, 78 + generation);
  close(fd);
  EXPECT(!msync(map, 8 * 4096, MS_SYNC));
  EXPECT(!stat(in_directory("file"), &after));
  EXPECT(after.st_mtim.tv_sec > before.st_mtim.tv_sec || after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);

  unsigned* other = shared_page("second");
  renamed[0] = 5 + generation;
  EXPECT_EQ(other[0], 5 + generation);
  EXPECT(!munmap(other, 4096));
}
