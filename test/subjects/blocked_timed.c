// Calls with a timeout, over and over in a thread each: none returns EINTR or early, and after a restart
// each keeps what remained of its time (it neither starts again nor ends at once).
// mig-test: timeout=90
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <linux/futex.h>

#include "subject.h"

static const int64_t kTime = 900000000;  // ns
#define MS 900
static const struct timespec span = {0, 900000000};
static int quiet[2], epoll_fd, listener, word;

static struct timespec deadline(clockid_t clock) {
  int64_t at = now_ns(clock) + kTime;
  return (struct timespec){at / 1000000000, at % 1000000000};
}

static int do_nanosleep(void) { return nanosleep(&span, NULL); }
static int do_clock_nanosleep(void) { return clock_nanosleep(CLOCK_BOOTTIME, 0, &span, NULL); }
static int do_absolute(void) {
  struct timespec t = deadline(CLOCK_MONOTONIC);
  return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static int do_usleep(void) { return usleep(MS * 1000); }
static int do_poll(void) {
  struct pollfd p = {quiet[0], POLLIN, 0};
  return poll(&p, 1, MS);
}
static int do_poll_nothing(void) { return poll(NULL, 0, MS); }
static int do_ppoll(void) {
  struct pollfd p = {quiet[0], POLLIN, 0};
  return ppoll(&p, 1, &span, NULL);
}
static int do_select(void) {
  fd_set s;
  FD_ZERO(&s);
  FD_SET(quiet[0], &s);
  struct timeval t = {0, MS * 1000};
  return select(quiet[0] + 1, &s, NULL, NULL, &t);
}
static int do_pselect(void) {
  fd_set s;
  FD_ZERO(&s);
  FD_SET(quiet[0], &s);
  return pselect(quiet[0] + 1, &s, NULL, NULL, &span, NULL);
}
static int do_epoll_wait(void) {
  struct epoll_event e;
  return epoll_wait(epoll_fd, &e, 1, MS);
}
static int do_epoll_pwait(void) {
  struct epoll_event e;
  sigset_t none;
  sigemptyset(&none);
  return epoll_pwait(epoll_fd, &e, 1, MS, &none);
}
static int do_epoll_pwait2(void) {
  struct epoll_event e;
  int n = epoll_pwait2(epoll_fd, &e, 1, &span, NULL);
  return n < 0 && errno == ENOSYS ? do_epoll_wait() : n;
}
static int timed_out(int n) { return n < 0 && (errno == ETIMEDOUT || errno == EAGAIN) ? 0 : n < 0 ? -1 : 1; }
static int do_sem(void) {
  static sem_t s;
  struct timespec t = deadline(CLOCK_REALTIME);
  return timed_out(sem_timedwait(&s, &t));
}
static int do_sem_monotonic(void) {
  static sem_t s;
  struct timespec t = deadline(CLOCK_MONOTONIC);
  return timed_out(sem_clockwait(&s, CLOCK_MONOTONIC, &t));
}
static int do_cond(void) {
  static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
  struct timespec t = deadline(CLOCK_MONOTONIC);
  pthread_mutex_lock(&m);
  int r;
  while ((r = pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &t)) == 0) {
  }
  pthread_mutex_unlock(&m);
  return (errno = r) == ETIMEDOUT ? 0 : -1;
}
static int do_mutex(void) {
  static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  struct timespec t = deadline(CLOCK_REALTIME);
  pthread_mutex_trylock(&m);
  int r = pthread_mutex_timedlock(&m, &t);
  return (errno = r) == ETIMEDOUT ? 0 : -1;
}
static int do_futex(void) { return timed_out(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &span, NULL, 0)); }
static int do_futex_absolute(void) {
  struct timespec t = deadline(CLOCK_MONOTONIC);
  return timed_out(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, ~0));
}
static int do_sigtimedwait(void) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  return timed_out(sigtimedwait(&s, NULL, &span));
}
static int do_recv(void) {
  char c;
  return timed_out(recv(quiet[0], &c, 1, 0));
}
static int do_accept(void) { return timed_out(accept(listener, NULL, NULL)); }

static struct call {
  const char *name;
  int (*call)(void);
  atomic_int done;
} calls[] = {{"nanosleep", do_nanosleep},
             {"clock_nanosleep", do_clock_nanosleep},
             {"clock_nanosleep until", do_absolute},
             {"usleep", do_usleep},
             {"poll", do_poll},
             {"poll of nothing", do_poll_nothing},
             {"ppoll", do_ppoll},
             {"select", do_select},
             {"pselect", do_pselect},
             {"epoll_wait", do_epoll_wait},
             {"epoll_pwait", do_epoll_pwait},
             {"epoll_pwait2", do_epoll_pwait2},
             {"sem_timedwait", do_sem},
             {"sem_clockwait", do_sem_monotonic},
             {"pthread_cond_clockwait", do_cond},
             {"pthread_mutex_timedlock", do_mutex},
             {"futex", do_futex},
             {"futex until", do_futex_absolute},
             {"sigtimedwait", do_sigtimedwait},
             {"recv", do_recv},
             {"accept", do_accept}};
enum { kCount = sizeof calls / sizeof *calls };

static void *worker(void *argument) {
  struct call *c = argument;
  for (;;) {
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    errno = 0;
    int r = c->call();
    int error = errno;
    int64_t took = now_ns(CLOCK_MONOTONIC) - begin;
    if (r) fail("%s: returns %d (%s) after %ld ms", c->name, r, strerror(error), (long)(took / 1000000));
    // Absolute real-time deadlines may pass while the program is down; the others count its own time.
    int real_time = c->call == do_sem || c->call == do_mutex;
    if (took < kTime - 5000000 && !real_time) fail("%s: too early, after %ld ms", c->name, (long)(took / 1000000));
    if (took > kTime + 10000000000) fail("%s: too late, after %ld ms", c->name, (long)(took / 1000000));
    c->done++;
  }
}

static void setup(void) {
  struct timeval t = {0, MS * 1000};
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, quiet));
  EXPECT(!setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  epoll_fd = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  EXPECT(!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, quiet[0], &e));
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(a.sun_path, sizeof a.sun_path, "%.90s/l", directory);
  EXPECT(!bind(listener, (void *)&a, sizeof a) && !listen(listener, 1));
  EXPECT(!setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  for (int i = 0; i < kCount; ++i) start_thread(worker, &calls[i]);
}

static void verify(void) {
  int before[kCount];
  for (int i = 0; i < kCount; ++i) before[i] = calls[i].done;
  for (int i = 0; i < kCount; ++i) {
    for (int ms = 0; ms < 9000 && calls[i].done == before[i] && !failed_once; ++ms) sleep_ms(1);
    if (calls[i].done == before[i]) fail("%s: does not end", calls[i].name);
  }
}
