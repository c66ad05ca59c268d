// F_SETOWN, F_SETOWN_EX and F_SETSIG with O_ASYNC on a socket and a pipe: who gets which signal.
#include <sys/socket.h>

#include "subject.h"

static int pair[2], pipe_fd[2];
static atomic_int signals;
static void on_io(int n, siginfo_t *i, void *c) { signals++; }

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 4, &a, NULL);
  sigaction(SIGIO, &a, NULL);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !pipe(pipe_fd));
  EXPECT(!fcntl(pair[0], F_SETOWN, getpid()) && !fcntl(pair[0], F_SETSIG, SIGRTMIN + 4));
  EXPECT(!fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  struct f_owner_ex me = {F_OWNER_TID, gettid()};
  EXPECT(!fcntl(pipe_fd[0], F_SETOWN_EX, &me));
}

static void verify(void) {
  char c;
  struct f_owner_ex who = {0};
  EXPECT_EQ(fcntl(pair[0], F_GETOWN), getpid());
  EXPECT_EQ(fcntl(pair[0], F_GETSIG), SIGRTMIN + 4);
  EXPECT_EQ(fcntl(pair[0], F_GETFL), O_RDWR | O_ASYNC | O_NONBLOCK);
  EXPECT(!fcntl(pipe_fd[0], F_GETOWN_EX, &who) && who.type == F_OWNER_TID);
  EXPECT_EQ(who.pid, gettid());
  int before = signals;
  EXPECT_EQ(write(pair[1], "x", 1), 1);
  WAIT_FOR(signals > before);
  EXPECT_EQ(read(pair[0], &c, 1), 1);
}
