// Relative timeouts over checkpoints: each wait lasts as long as was asked for, by the program's own clock; it neither
// starts again nor ends early (an upper bound in real time, hence one of the long tests). Also by system calls of the program's own, with every register looked at afterwards.
// mig-test: shaken timeout=90 long
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <threads.h>

#include "subject.h"

static const int64_t kTime = 3000000000;
static const struct timespec span = {3, 0};
static int quiet[2], epoll_fd, semaphore, word;

static int timed_out(long n, int error) { return n < 0 && errno == error ? 0 : n < 0 ? errno : 1; }

// The call with its arguments, and whether all registers but rax, rcx and r11 are as they were.
static long raw(long number, long a, long b, long c, long d, long e, long f) {
  register long rdi asm("rdi") = a;
  register long rsi asm("rsi") = b;
  register long rdx asm("rdx") = c;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  register long rbx asm("rbx") = 0x1111;
  register long r12 asm("r12") = 0x2222;
  register long r13 asm("r13") = 0x3333;
  long result = number;
  asm volatile("syscall"
               : "+a"(result), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(rbx), "+r"(r12), "+r"(r13)
               :
               : "rcx", "r11", "memory");
  if (rdi != a || rsi != b || rdx != c || r10 != d || r8 != e || r9 != f || rbx != 0x1111 || r12 != 0x2222 || r13 != 0x3333)
    fail("system call %ld changed a register", number);
  return result;
}

static int do_nanosleep(void) { return nanosleep(&span, NULL) ? errno : 0; }
static int do_usleep(void) { return usleep(3000000) ? errno : 0; }
static int do_sleep(void) { return sleep(3) ? EINTR : 0; }
static int do_thrd_sleep(void) { return thrd_sleep(&span, NULL); }
static int do_clock_nanosleep(void) { return clock_nanosleep(CLOCK_BOOTTIME, 0, &span, NULL); }
static int do_raw_nanosleep(void) {
  struct timespec rest;
  return (int)-raw(SYS_nanosleep, (long)&span, (long)&rest, 3, 4, 5, 6);
}
static int do_poll(void) {
  struct pollfd p = {quiet[0], POLLIN, 0};
  return poll(&p, 1, 3000) ? errno : 0;
}
static int do_ppoll(void) { return ppoll(NULL, 0, &span, NULL) ? errno : 0; }
static int do_raw_ppoll(void) {
  struct timespec t = span;
  int r = (int)-raw(SYS_ppoll, 0, 0, (long)&t, 0, 8, 9);
  if (t.tv_sec || t.tv_nsec) fail("ppoll leaves %ld ns", t.tv_nsec);
  return r;
}
static int do_select(void) {
  struct timeval t = {3, 0};
  int r = select(0, NULL, NULL, NULL, &t) ? errno : 0;
  if (t.tv_sec || t.tv_usec) fail("select leaves %ld us", (long)t.tv_usec);
  return r;
}
static int do_pselect(void) { return pselect(0, NULL, NULL, NULL, &span, NULL) ? errno : 0; }
static int do_epoll_wait(void) {
  struct epoll_event e;
  return epoll_wait(epoll_fd, &e, 1, 3000) ? errno : 0;
}
static int do_epoll_pwait(void) {
  struct epoll_event e;
  sigset_t s;
  sigfillset(&s);
  return epoll_pwait(epoll_fd, &e, 1, 3000, &s) ? errno : 0;
}
static int do_sigtimedwait(void) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  return timed_out(sigtimedwait(&s, NULL, &span), EAGAIN);
}
static int do_semtimedop(void) {
  struct sembuf op = {0, -1, 0};
  return timed_out(semtimedop(semaphore, &op, 1, &span), EAGAIN);
}
static int do_futex(void) { return timed_out(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &span, NULL, 0), ETIMEDOUT); }

static struct call {
  const char *name;
  int (*call)(void);
  atomic_int done;
} calls[] = {{"nanosleep", do_nanosleep}, {"usleep", do_usleep}, {"sleep", do_sleep}, {"thrd_sleep", do_thrd_sleep},
             {"clock_nanosleep", do_clock_nanosleep}, {"nanosleep by itself", do_raw_nanosleep}, {"poll", do_poll},
             {"ppoll", do_ppoll}, {"ppoll by itself", do_raw_ppoll}, {"select", do_select}, {"pselect", do_pselect},
             {"epoll_wait", do_epoll_wait}, {"epoll_pwait", do_epoll_pwait}, {"sigtimedwait", do_sigtimedwait},
             {"futex", do_futex}, {"semtimedop", do_semtimedop}};
enum { kCount = sizeof calls / sizeof *calls, kRestorable = kCount - 1 };
static int count;

static void *worker(void *argument) {
  struct call *c = argument;
  for (;;) {
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    int r = c->call();
    long late = (now_ns(CLOCK_MONOTONIC) - begin - kTime) / 1000;
    if (r) fail("%s: %s after %ld us", c->name, strerror(r), late + kTime / 1000);
    if (late < -1000) fail("%s: early by %ld us", c->name, -late);
    if (late > 1500000) fail("%s: late by %ld us", c->name, late);
    c->done++;
  }
}

static void setup(void) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGRTMIN + 2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  EXPECT(!pipe(quiet));
  epoll_fd = epoll_create1(0);
  count = kRestorable;
  if (getenv("WITH_IPC")) {  // System V semaphores: for a checkpoint without a restart
    char line[64];
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    snprintf(line, sizeof line, "-s %d\n", semaphore);
    put_file("ipc", line);
    count = kCount;
  }
  for (int i = 0; i < count; ++i) start_thread(worker, &calls[i]);
  sleep_ms(2000);  // the checkpoint comes in the last third of the waits
}

static void verify(void) {
  int before[kCount];
  for (int i = 0; i < count; ++i) before[i] = calls[i].done;
  for (int i = 0; i < count; ++i) WAIT_FOR(calls[i].done > before[i] || failed_once);
  sleep_ms(2000);
}
