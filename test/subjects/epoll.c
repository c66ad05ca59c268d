// epoll: level, edge, one-shot, exclusive, nested, entries whose descriptor was closed but for a dup; events and data.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "subject.h"

static int outer, inner, level, edge, once, quiet;

static void add(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  EXPECT(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
}
static uint64_t events_of(int epoll) {
  struct epoll_event e[10];
  uint64_t seen = 0;
  int n = epoll_wait(epoll, e, 10, 0);
  EXPECT(n >= 0);
  for (int i = 0; i < n; ++i) seen |= e[i].data.u64;
  return seen;
}
static void signal_fd(int fd) {
  uint64_t one = 1;
  EXPECT_EQ(write(fd, &one, 8), 8);
}

static void setup(void) {
  outer = epoll_create1(EPOLL_CLOEXEC), inner = epoll_create1(0);
  level = eventfd(0, EFD_NONBLOCK), edge = eventfd(0, EFD_NONBLOCK), once = eventfd(0, EFD_NONBLOCK), quiet = eventfd(0, EFD_NONBLOCK);
  add(outer, level, EPOLLIN, 1ULL << 40), add(outer, edge, EPOLLIN | EPOLLET, 2), add(outer, once, EPOLLIN | EPOLLONESHOT, 4);
  add(outer, quiet, EPOLLIN | EPOLLRDHUP, 8), add(outer, inner, EPOLLIN, 16), add(inner, quiet, EPOLLIN, 32);
  signal_fd(level), signal_fd(once);
  EXPECT_EQ(events_of(outer), 1ULL << 40 | 4);  // and the one-shot entry is disarmed from now on
}

static void verify(void) {
  uint64_t n;
  EXPECT_EQ(fcntl(outer, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(events_of(outer) & ~2ULL, 1ULL << 40);  // an edge may be told again after a restart
  signal_fd(quiet);
  EXPECT_EQ(events_of(outer) & ~2ULL, 1ULL << 40 | 8 | 16);
  EXPECT_EQ(events_of(inner), 32);
  EXPECT_EQ(read(quiet, &n, 8), 8);
  signal_fd(edge);
  EXPECT(events_of(outer) & 2);
  EXPECT(!(events_of(outer) & 2));
  struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 4};
  EXPECT(!epoll_ctl(outer, EPOLL_CTL_MOD, once, &e));
  EXPECT(events_of(outer) & 4);
  EXPECT(epoll_ctl(outer, EPOLL_CTL_ADD, level, &e) < 0 && errno == EEXIST);
}
