// A lease is held after the restart and is broken, with its signal, when somebody opens the file.
#include "subject.h"

static int fd;
static atomic_int broken;
static void on_break(int n, siginfo_t *i, void *c) { i->si_fd == fd ? broken++ : fail("si_fd %d", i->si_fd); }

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_break, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 3, &a, NULL);
  fd = open(in_directory("leased"), O_RDWR | O_CREAT, 0600);
  EXPECT(!fcntl(fd, F_SETSIG, SIGRTMIN + 3));
  if (fcntl(fd, F_SETLEASE, F_WRLCK)) skip("lease: %s", strerror(errno));
}

static void verify(void) {
  EXPECT_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
  EXPECT_EQ(fcntl(fd, F_GETSIG), SIGRTMIN + 3);
  EXPECT(open(in_directory("leased"), O_RDONLY | O_NONBLOCK) < 0 && errno == EWOULDBLOCK);
  WAIT_FOR(broken == generation + 1);
  EXPECT(!fcntl(fd, F_SETLEASE, F_UNLCK));
  EXPECT(!fcntl(fd, F_SETSIG, SIGRTMIN + 3));  // which giving up a lease forgets
  EXPECT(!fcntl(fd, F_SETLEASE, F_WRLCK));
}
