// A private mapping that is longer than its file, which has no name and no descriptor any more: what the file holds is there.
#include "subject.h"

static const char* page;

static void setup(void) {
  int fd = open(in_directory("short"), O_RDWR | O_CREAT, 0600);
  EXPECT(write(fd, "held", 4) == 4);
  page = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  EXPECT(page != MAP_FAILED && !unlink(in_directory("short")) && !close(fd));
}
static void verify(void) {
  EXPECT(!memcmp(page, "held", 4));
}
