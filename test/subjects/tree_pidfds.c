// Descriptors of other processes: of a child, of one's parent, of a child that has ended, of one that was waited for, one that parent and
// child have in common, and one that an epoll instance watches. They tell of the same process after every restart.
// mig-test: generations=3
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "members.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { kParent = 1 };
static int to_parent, in_common, to_child, to_dead, to_gone, watcher, to_watched;
static pid_t zombie, watched;
static volatile sig_atomic_t got;
static void on_usr1(int n) { got++; }

static int pidfd(pid_t pid, int flags) {
  int fd = (int)syscall(SYS_pidfd_open, pid, flags);
  if (fd < 0 && errno == ENOSYS) skip("pidfd_open: %s", strerror(errno));
  EXPECT(fd >= 0);
  return fd;
}
static int readable(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}
static int probe(int fd, int signal) { return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) ? errno : 0; }

static void serve(int order) {
  if (to_parent < 0) to_parent = pidfd(getppid(), 0);
  EXPECT(!readable(to_parent));
  EXPECT_EQ(probe(to_parent, SIGUSR1), 0);
  EXPECT_EQ(probe(in_common, SIGUSR1), 0);
}

static pid_t child_until(const char *file, int code) {
  char name[32];
  strcpy(name, file);
  pid_t child = fork();
  if (child) return child;
  while (!have_file(name) && !have_file("end") && access(directory, F_OK) == 0) sleep_ms(2);
  _exit(code);
}
static pid_t child_that_ends(int code) {
  pid_t child = fork();
  if (!child) _exit(code);
  siginfo_t i;
  EXPECT_EQ(waitid(P_PID, child, &i, WEXITED | WNOWAIT), 0);
  return child;
}

static void watch(int turn) {
  char name[32];
  snprintf(name, sizeof name, "watched.%d", turn);
  watched = child_until(name, 9);
  to_watched = pidfd(watched, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = 77};
  EXPECT_EQ(epoll_ctl(watcher, EPOLL_CTL_ADD, to_watched, &e), 0);
}

static void setup(void) {
  signal(SIGUSR1, on_usr1);
  to_parent = -1;
  in_common = pidfd(getpid(), 0);
  start_member(0, serve);
  to_child = pidfd(members[0].pid, 0);
  zombie = child_that_ends(5);
  to_dead = pidfd(zombie, 0);
  pid_t gone = child_that_ends(6);
  to_gone = pidfd(gone, 0);
  EXPECT_EQ(waitpid(gone, NULL, 0), gone);
  watcher = epoll_create1(EPOLL_CLOEXEC);
  watch(0);
  ask_member(0, kParent);
  WAIT_FOR(got);
}

static void verify_watched(void) {
  struct epoll_event e = {0};
  char name[32];
  EXPECT_EQ(epoll_wait(watcher, &e, 1, 0), 0);
  siginfo_t i = {0};
  EXPECT(waitid((idtype_t)P_PIDFD, (id_t)to_watched, &i, WEXITED) < 0 && errno == EAGAIN);
  snprintf(name, sizeof name, "watched.%d", generation);
  put_file(name, "");
  EXPECT_EQ(epoll_wait(watcher, &e, 1, 10000), 1);
  EXPECT_EQ(e.data.u64, 77);
  EXPECT_EQ(waitid((idtype_t)P_PIDFD, (id_t)to_watched, &i, WEXITED), 0);
  EXPECT(i.si_pid == watched && i.si_status == 9);
  EXPECT(readable(to_watched));
  EXPECT_EQ(close(to_watched), 0);
  watch(generation + 1);
}

static void verify(void) {
  got = 0;
  ask_member(0, kParent);
  WAIT_FOR(got);
  EXPECT(!readable(to_child));
  EXPECT_EQ(probe(to_child, 0), 0);
  EXPECT_EQ(probe(in_common, 0), 0);
  EXPECT(readable(to_dead));
  siginfo_t i = {0};
  EXPECT_EQ(waitid((idtype_t)P_PIDFD, (id_t)to_dead, &i, WEXITED | WNOWAIT), 0);
  EXPECT(i.si_pid == zombie && i.si_status == 5);
  EXPECT(readable(to_gone));
  EXPECT_EQ(probe(to_gone, 0), ESRCH);
  verify_watched();
}
