// Signals of the program's own that come while a checkpoint is being made: a blocking call that they end by nature ends,
// one that the kernel repeats after their handler (SA_RESTART) goes on. A timer keeps sending them.
// mig-test: shaken
#include <poll.h>

#include "subject.h"

static atomic_int pauses, reads, polls, suspends, repeats, handled;
static int quiet[2];

static void on_signal(int n) { handled++; }

static timer_t send_to_me(int signal, long ns) {
  timer_t timer;
  struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
  struct itimerspec t = {{0, ns}, {0, ns}};
  e._sigev_un._tid = gettid();
  EXPECT(!timer_create(CLOCK_MONOTONIC, &e, &timer));
  EXPECT(!timer_settime(timer, 0, &t, NULL));
  return timer;
}

static void *pauser(void *unused) {
  send_to_me(SIGUSR1, 20000000);
  for (;; ++pauses)
    if (pause() != -1 || errno != EINTR) fail("pause: %s", strerror(errno));
}
static void *reader(void *unused) {
  send_to_me(SIGUSR1, 20000000);
  char c;
  for (;; ++reads)
    if (read(quiet[0], &c, 1) != -1 || errno != EINTR) fail("read: %s", strerror(errno));
}
static void *poller(void *unused) {
  send_to_me(SIGUSR1, 20000000);
  for (;; ++polls)
    if (poll(NULL, 0, -1) != -1 || errno != EINTR) fail("poll: %s", strerror(errno));
}
static void *suspender(void *unused) {
  sigset_t blocked, none;
  sigemptyset(&none), sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  send_to_me(SIGUSR1, 20000000);
  for (;; ++suspends)
    if (sigsuspend(&none) != -1 || errno != EINTR) fail("sigsuspend: %s", strerror(errno));
}
static void *repeater(void *unused) {
  send_to_me(SIGUSR2, 20000000);
  char c;
  for (;; ++repeats)
    if (read(quiet[0], &c, 1) != 1) fail("read with SA_RESTART: %s", strerror(errno));
}

static void setup(void) {
  struct sigaction ends = {.sa_handler = on_signal}, repeats_it = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  EXPECT(!pipe(quiet));
  sigaction(SIGUSR1, &ends, NULL);
  sigaction(SIGUSR2, &repeats_it, NULL);
  start_thread(pauser, NULL), start_thread(reader, NULL), start_thread(poller, NULL);
  start_thread(suspender, NULL), start_thread(repeater, NULL);
  sleep_ms(100);
}

static void verify(void) {
  atomic_int *counters[] = {&pauses, &reads, &polls, &suspends};
  int before[4];
  for (int i = 0; i < 4; ++i) before[i] = *counters[i];
  for (int i = 0; i < 4; ++i) WAIT_FOR(*counters[i] > before[i] + 5 || failed_once);
  EXPECT_EQ(repeats, 0);
}
