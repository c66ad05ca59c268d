// A pidfd of the process itself still names it: signals can be sent through it.
#include "subject.h"

static int fd;
static atomic_int got;
static void on_usr1(int n) { got++; }

static void setup(void) {
  struct sigaction a = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &a, NULL);
  fd = syscall(SYS_pidfd_open, getpid(), 0);
  if (fd < 0) skip("pidfd_open: %s", strerror(errno));
}

static void verify(void) {
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0), 0);
  WAIT_FOR(got == generation + 1);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}
