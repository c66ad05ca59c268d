// What a parent and its children have by inheritance is one description: a file's offset and flags, an eventfd, a timerfd, a memfd,
// an epoll instance that one of them watches a descriptor of its own with, a flock, a
// socket that tells another process of its input. POSIX locks belong to each.
#include "members.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

enum { kMove = 1, kLook, kWatch, kSignal, kLock, kTryLocks, kFile, kCatch, kCaught };

static int file, event, timer, memory, watcher, locked, other_memory, records;
static int private_event = -1;
static off_t offset;
static int async[2];
static atomic_int caught;

static void on_input(int signal) {
  caught += signal == SIGIO;
}

static int locks_range(int fd, off_t start) {
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 10};
  return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}
static void lock_range(off_t start) {
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 10};
  EXPECT(!fcntl(records, F_SETLK, &l));
}

static void serve(int order) {
  char text[16] = "";
  uint64_t n = 0;
  switch (order % 100) {
    case kMove: EXPECT_EQ(read(file, text, 5), 5); break;
    case kSignal:
      n = 7;
      EXPECT_EQ(write(event, &n, 8), 8);
      break;
    case kWatch: {
      struct epoll_event e = {.events = EPOLLIN, .data.u64 = 42};
      private_event = eventfd(0, EFD_NONBLOCK);
      EXPECT(private_event >= 0 && !epoll_ctl(watcher, EPOLL_CTL_ADD, private_event, &e));
      break;
    }
    case kLook:  // the one that the child alone has is watched by the instance of both
      n = 1;
      EXPECT_EQ(write(private_event, &n, 8), 8);
      break;
    case kLock:
      EXPECT_EQ(read(private_event, &n, 8), 8);
      lock_range(100);
      break;
    case kCatch: EXPECT(signal(SIGIO, on_input) != SIG_ERR); break;
    case kCaught:
      WAIT_FOR(caught > 0);
      caught = 0;
      break;
    case kTryLocks: EXPECT(locks_range(records, 0) && !locks_range(records, 100)); break;
    case kFile:
      EXPECT_EQ(pwrite(memory, "child", 5, 0), 5);
      EXPECT_EQ(pwrite(other_memory, "more", 4, 1000), 4);
      break;
  }
}

static void setup(void) {
  struct itimerspec soon = {.it_value = {3600, 0}, .it_interval = {5, 0}};
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = 1};
  char link[64];
  file = open(in_directory("file"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  for (int i = 0; i < 400; ++i) EXPECT_EQ(write(file, "0123456789", 10), 10);
  lseek(file, 0, SEEK_SET);
  event = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  memory = memfd_create("both", 0);
  watcher = epoll_create1(0);
  locked = open(in_directory("flock"), O_RDWR | O_CREAT, 0600);
  records = open(in_directory("records"), O_RDWR | O_CREAT, 0600);
  EXPECT(file >= 0 && event >= 0 && timer >= 0 && memory >= 0 && watcher >= 0 && locked >= 0 && records >= 0);
  EXPECT(!timerfd_settime(timer, 0, &soon, NULL) && !ftruncate(memory, 100000) && !flock(locked, LOCK_EX));
  EXPECT(!epoll_ctl(watcher, EPOLL_CTL_ADD, event, &e));
  snprintf(link, sizeof link, "/proc/self/fd/%d", memory);
  other_memory = open(link, O_RDWR);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, async));
  start_member(0, serve);
  start_member(1, serve);
  close(other_memory);
  lock_range(0);
  ask_member(1, kCatch);
  EXPECT(!fcntl(async[0], F_SETOWN, members[1].pid) && !fcntl(async[0], F_SETFL, O_ASYNC));
  ask_member(0, kWatch);
  ask_member(0, kLook);
  ask_member(0, kLock);
}

static void verify(void) {
  char text[16] = "";
  struct epoll_event e[4];
  struct itimerspec t;
  uint64_t n = 0;
  offset += 15;
  ask_member(0, kMove);
  EXPECT_EQ(read(file, text, 5), 5);
  ask_member(1, kMove);
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), offset);
  EXPECT_EQ(fcntl(file, F_GETFL) & O_APPEND, O_APPEND);
  ask_member(1, kSignal);
  for (int i = 0; i < 7; ++i) EXPECT(read(event, &n, 8) == 8 && n == 1);
  EXPECT(read(event, &n, 8) < 0 && errno == EAGAIN);
  EXPECT(!timerfd_gettime(timer, &t) && t.it_value.tv_sec > 3000 && t.it_interval.tv_sec == 5);
  EXPECT_EQ(epoll_wait(watcher, e, 4, 0), 0);
  ask_member(0, kLook);
  EXPECT(epoll_wait(watcher, e, 4, 0) == 1 && e[0].data.u64 == 42);
  ask_member(0, kLock);
  EXPECT_EQ(epoll_wait(watcher, e, 4, 0), 0);
  ask_member(0, kTryLocks);
  EXPECT(locks_range(records, 100) && !locks_range(records, 0));
  int mine = open(in_directory("flock"), O_RDWR);
  EXPECT(flock(mine, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
  EXPECT(!flock(locked, LOCK_EX | LOCK_NB));
  close(mine);
  ask_member(generation % 2, kFile);
  EXPECT(pread(memory, text, 5, 0) == 5 && !memcmp(text, "child", 5));
  EXPECT(pread(memory, text, 4, 1000) == 4 && !memcmp(text, "more", 4));
  EXPECT_EQ(fcntl(async[0], F_GETOWN), members[1].pid);
  EXPECT(write(async[1], "x", 1) == 1 && read(async[0], text, 1) == 1);
  ask_member(1, kCaught);
  EXPECT_EQ(pwrite(memory, "reset", 5, 0), 5);
  EXPECT_EQ(pwrite(memory, "zero", 4, 1000), 4);
}
