// inotify: watches with their numbers and masks, events not yet read, new events of old watches.
#include <sys/inotify.h>

#include "subject.h"

static int fd, first, second;

static void touch(const char *directory_name, int n) {
  char name[64];
  snprintf(name, sizeof name, "%s/%d", directory_name, n);
  close(open(in_directory(name), O_CREAT | O_WRONLY, 0600));
}
static void expect_event(int watch, uint32_t mask, int number) {
  char buffer[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
  struct inotify_event *e = (void *)buffer;
  ssize_t n = read(fd, buffer, sizeof buffer);
  EXPECT_EQ(n, sizeof buffer);
  EXPECT(e->wd == watch && e->mask == mask);
  EXPECT_EQ(atoi(e->name), number);
}

static void setup(void) {
  mkdir(in_directory("a"), 0700), mkdir(in_directory("b"), 0700);
  fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int removed = inotify_add_watch(fd, directory, IN_CREATE);
  inotify_rm_watch(fd, removed);
  char ignored[100];
  read(fd, ignored, sizeof ignored);
  first = inotify_add_watch(fd, in_directory("a"), IN_CREATE);
  second = inotify_add_watch(fd, in_directory("b"), IN_CREATE | IN_DELETE);
  EXPECT(fd >= 0 && first > 1 && second > first);
}

static void verify(void) {
  touch("a", generation);
  touch("b", 50 + generation);
  expect_event(first, IN_CREATE, generation);
  expect_event(second, IN_CREATE, 50 + generation);
  char name[64];
  snprintf(name, sizeof name, "b/%d", 50 + generation);
  unlink(in_directory(name));
  expect_event(second, IN_DELETE, 50 + generation);
  EXPECT_EQ(inotify_add_watch(fd, in_directory("a"), IN_CREATE), first);
  EXPECT(fcntl(fd, F_GETFL) & O_NONBLOCK);
}
