// Micro-benchmarks: `calls NAME` prints how many nanoseconds one call takes. Each is measured in rounds and the
// fastest round counts, which takes out what the machine does beside. scripts/bench compares runs with and without the library.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int zero, tube[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long sink;

static void on_signal(int n) { ++sink; }
static void *nothing(void *p) { return p; }

static void do_compute(void) {
  unsigned long x = sink + 1;
  for (int i = 0; i < 1000; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
  sink = x;
}
static void do_getpid(void) { sink += getpid(); }
static void do_open(void) { close(open("/dev/null", O_RDWR)); }
static void do_open_file(void) { close(open("/etc/passwd", O_RDONLY | O_CLOEXEC)); }
static void do_read(void) {
  char c;
  sink += read(zero, &c, 1);
}
static void do_sigaction(void) {
  struct sigaction a = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &a, NULL);
}
static void do_sigprocmask(void) {
  sigset_t s;
  sigemptyset(&s);
  sigprocmask(SIG_BLOCK, &s, NULL);
}
static void do_poll(void) {
  struct pollfd p = {tube[0], POLLIN, 0};
  sink += poll(&p, 1, 0);
}
static void do_pipe(void) {
  char c = 1;
  sink += write(tube[1], &c, 1) + read(tube[0], &c, 1);
}
static void do_pipe_create(void) {
  int p[2];
  if (pipe(p)) abort();
  close(p[0]), close(p[1]);
}
static void do_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  sink += t.tv_nsec;
}
static void do_clock_real(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  sink += t.tv_nsec;
}
static void do_mutex(void) {
  pthread_mutex_lock(&mutex);
  ++sink;
  pthread_mutex_unlock(&mutex);
}
static void do_malloc(void) {
  char *volatile p = malloc(100);
  free(p);
}
static void do_mmap(void) { munmap(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 65536); }
static void do_thread(void) {
  pthread_t t;
  if (pthread_create(&t, NULL, nothing, NULL)) abort();
  pthread_join(t, NULL);
}
static void do_kill(void) { kill(getpid(), SIGUSR2); }
/// A child that ignores it.
static void do_kill_child(void) {
  static pid_t child;
  if (!child) signal(SIGUSR1, SIG_IGN);
  if (!child && !(child = fork())) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  sink += kill(child, SIGUSR1);
}

static const struct {
  const char *name;
  void (*call)(void);
  int count;
} table[] = {{"compute", do_compute, 2000},     {"getpid", do_getpid, 20000},   {"open-close", do_open, 5000},     {"open-close-file", do_open_file, 5000},
             {"read", do_read, 20000},          {"sigaction", do_sigaction, 20000}, {"sigprocmask", do_sigprocmask, 20000}, {"poll", do_poll, 20000},
             {"pipe-transfer", do_pipe, 10000}, {"pipe-create", do_pipe_create, 3000}, {"clock_gettime", do_clock, 50000}, {"clock_gettime-real", do_clock_real, 50000},
             {"mutex", do_mutex, 100000},       {"malloc", do_malloc, 100000},  {"mmap-munmap", do_mmap, 5000},    {"thread", do_thread, 500},
             {"kill-self", do_kill, 5000},      {"kill-child", do_kill_child, 2000}};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR2, &a, NULL);
  zero = open("/dev/zero", O_RDONLY);
  if (pipe(tube)) return 1;
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
    if (argc < 2) puts(table[i].name);
    if (argc < 2 || strcmp(argv[1], table[i].name)) continue;
    double best = 1e30;
    for (int round = 0; round < 25; ++round) {
      double begin = now();
      for (int n = 0; n < table[i].count; ++n) table[i].call();
      double took = (now() - begin) / table[i].count;
      if (took < best) best = took;
    }
    printf("%.3f\n", best);
  }
  return 0;
}
