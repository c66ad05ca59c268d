// The library's own signal is not there for the program, yet answers as any other: action, mask, waiting for it, what a
// new thread inherits. A program that blocks everything can still be checkpointed.
#include <sys/signalfd.h>

#include "subject.h"

enum { kOurs = 64 };
static sigset_t everything, before;

static void on_signal(int n) {}

static int blocked(const sigset_t *set, int signal) {
  sigset_t now;
  if (!set) {
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    set = &now;
  }
  return ((const uint64_t *)set)[0] >> (signal - 1) & 1;
}

static void *inherits(void *unused) {
  EXPECT_EQ(blocked(NULL, SIGUSR1), 1);
  return NULL;
}

static void setup(void) {
  sigfillset(&everything);
  EXPECT_EQ(sigprocmask(SIG_SETMASK, &everything, &before), 0);
  EXPECT_EQ(blocked(&before, kOurs), 0);
}

static void verify(void) {
  struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
  EXPECT_EQ(blocked(NULL, kOurs), 1);
  EXPECT_EQ(blocked(NULL, SIGTERM), 1);
  EXPECT_EQ(sigaction(kOurs, &a, NULL), 0);
  EXPECT_EQ(sigaction(kOurs, NULL, &old), 0);
  EXPECT(old.sa_handler == on_signal && (old.sa_flags & ~0x04000000) == SA_RESTART);
  EXPECT(signal(kOurs, SIG_DFL) == on_signal);
  EXPECT(SIGRTMAX == 63 || SIGRTMAX == 64);
  sigset_t set, one;
  sigemptyset(&one), sigaddset(&one, kOurs);
  EXPECT_EQ(sigprocmask(SIG_UNBLOCK, &one, &set), 0);
  EXPECT_EQ(blocked(&set, kOurs), 1);
  EXPECT_EQ(blocked(NULL, kOurs), 0);
  EXPECT_EQ(sigprocmask(SIG_BLOCK, &one, NULL), 0);
  EXPECT_EQ(blocked(NULL, kOurs), 1);
  struct timespec none = {0, 0};
  EXPECT(sigtimedwait(&everything, NULL, &none) < 0 && errno == EAGAIN);
  int fd = signalfd(-1, &everything, SFD_NONBLOCK);
  EXPECT(fd >= 0);
  close(fd);
  pthread_join(start_thread(inherits, NULL), NULL);
}
