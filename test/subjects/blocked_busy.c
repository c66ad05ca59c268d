// Threads in calls that the kernel ends by EINTR for a signal another thread then takes (epoll_wait, sigtimedwait, a
// socket with a timeout), while the main thread does nothing but read the clock: it can rarely be stopped where it is, and
// the request comes to it again and again.
// mig-test: shaken
#include <sys/epoll.h>
#include <sys/socket.h>

#include "subject.h"

enum { kEach = 6 };
static int quiet[2], epoll_fd;
static atomic_int waiting;

static void *wait_events(void *unused) {
  struct epoll_event e;
  (void)unused;
  waiting++;
  int n = epoll_wait(epoll_fd, &e, 1, -1);
  fail("epoll_wait: returns %d (%s)", n, strerror(errno));
  return NULL;
}
static void *wait_signal(void *unused) {
  struct timespec hour = {3600, 0};
  sigset_t s;
  (void)unused;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  waiting++;
  int n = sigtimedwait(&s, NULL, &hour);
  fail("sigtimedwait: returns %d (%s)", n, strerror(errno));
  return NULL;
}
static void *wait_bytes(void *unused) {
  char c;
  (void)unused;
  waiting++;
  ssize_t n = recv(quiet[0], &c, 1, 0);
  fail("recv: returns %zd (%s)", n, strerror(errno));
  return NULL;
}

static void setup(void) {
  struct timeval hour = {3600, 0};
  struct epoll_event e = {.events = EPOLLIN};
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, quiet));
  EXPECT(!setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour));
  epoll_fd = epoll_create1(0);
  EXPECT(!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, quiet[0], &e));
  for (int i = 0; i < kEach; ++i) {
    start_thread(wait_events, NULL);
    start_thread(wait_signal, NULL);
    start_thread(wait_bytes, NULL);
  }
  WAIT_FOR(waiting == 3 * kEach);
}

static void verify(void) {
  for (int64_t end = now_ns(CLOCK_MONOTONIC) + 2000000000; now_ns(CLOCK_MONOTONIC) < end && !failed_once;) {
  }
}
