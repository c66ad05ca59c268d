// epoll entries whose number was closed, or given to another file that is registered too, while a duplicate lives.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "subject.h"

static int epoll, first, second, gone;

static void add(int fd, uint64_t data) {
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = data};
  EXPECT(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
}
static uint64_t events(void) {
  struct epoll_event e[10];
  uint64_t seen = 0;
  int n = epoll_wait(epoll, e, 10, 0);
  for (int i = 0; i < n; ++i) seen |= e[i].data.u64;
  return seen;
}
static uint64_t events_of(int fd) {
  uint64_t n = 1, seen;
  EXPECT_EQ(write(fd, &n, 8), 8);
  seen = events();
  EXPECT_EQ(read(fd, &n, 8), 8);
  return seen;
}

static void setup(void) {
  int number = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
  epoll = epoll_create1(0);
  add(number, 1);
  first = dup(number);
  second = dup2(other, number);  // the number is another file's now
  add(second, 2);
  gone = dup(other), close(other);
  int third = dup(gone);
  add(third, 4), close(third);
}

static void verify(void) {
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = 9};
  EXPECT_EQ(events(), 0);
  EXPECT_EQ(events_of(first), 1);
  EXPECT_EQ(events_of(second), 2 | 4);
  EXPECT_EQ(events_of(gone), 2 | 4);
  EXPECT(epoll_ctl(epoll, EPOLL_CTL_MOD, first, &e) < 0 && errno == ENOENT);
  EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, second, &e) < 0 && errno == EEXIST);
}
