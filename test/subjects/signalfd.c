// signalfd: its mask and flags, a pending signal that it tells with the sender's pid.
#include <sys/signalfd.h>

#include "subject.h"

static int fd;
static sigset_t set;

static void setup(void) {
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN + 9);
  sigprocmask(SIG_BLOCK, &set, NULL);
  fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  kill(getpid(), SIGUSR1);
}

static void verify(void) {
  struct signalfd_siginfo i = {0};
  EXPECT_EQ(read(fd, &i, sizeof i), sizeof i);
  EXPECT_EQ(i.ssi_signo, SIGUSR1);
  EXPECT_EQ(i.ssi_pid, getpid());
  EXPECT(read(fd, &i, sizeof i) < 0 && errno == EAGAIN);
  sigqueue(getpid(), SIGRTMIN + 9, (union sigval){.sival_int = 8});
  EXPECT_EQ(read(fd, &i, sizeof i), sizeof i);
  EXPECT(i.ssi_signo == (unsigned)SIGRTMIN + 9 && i.ssi_int == 8 && (pid_t)i.ssi_pid == getpid());
  EXPECT(fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  kill(getpid(), SIGUSR1);
}
