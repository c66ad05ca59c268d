// What each thread has of its own: name, signal mask, alternate stack, affinity, policy, nice, timer slack, I/O priority.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "subject.h"

enum { kThreads = 3 };
static atomic_int look, answered;

static void *worker(void *argument) {
  long me = (long)argument;
  char name[16], now_name[16] = "";
  sigset_t mask, now_mask;
  stack_t stack = {.ss_sp = malloc(20000), .ss_size = 20000}, now_stack;
  cpu_set_t cpus, now_cpus;
  struct sched_param none = {0};
  pid_t tid = gettid();
  int round = 0;
  snprintf(name, sizeof name, "worker %ld \"x", me);
  prctl(PR_SET_NAME, name);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1 + me), sigaddset(&mask, SIGRTMIN + 3);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  sigaltstack(&stack, NULL);
  CPU_ZERO(&cpus);
  CPU_SET(me % 2, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus)) sched_getaffinity(0, sizeof cpus, &cpus);
  int policy = me == 1 ? SCHED_BATCH : me == 2 ? SCHED_IDLE : SCHED_OTHER;
  EXPECT(!sched_setscheduler(0, policy, &none));
  EXPECT(!setpriority(PRIO_PROCESS, tid, 2 + me));
  prctl(PR_SET_TIMERSLACK, 70000UL + me);
  EXPECT(!syscall(SYS_ioprio_set, 1, 0, 2 << 13 | (3 + me)));
  atomic_fetch_add(&answered, 1);
  for (;; sleep_ms(1))
    if (look > round) {
      ++round;
      prctl(PR_GET_NAME, now_name);
      EXPECT_STR(now_name, name);
      pthread_sigmask(SIG_SETMASK, NULL, &now_mask);
      EXPECT(!memcmp(&mask, &now_mask, 8));
      sigaltstack(NULL, &now_stack);
      EXPECT(now_stack.ss_sp == stack.ss_sp && now_stack.ss_size == stack.ss_size && now_stack.ss_flags == 0);
      sched_getaffinity(0, sizeof now_cpus, &now_cpus);
      EXPECT(CPU_EQUAL(&cpus, &now_cpus));
      EXPECT_EQ(sched_getscheduler(0), policy);
      EXPECT_EQ(gettid(), tid);
      EXPECT_EQ(getpriority(PRIO_PROCESS, tid), 2 + me);
      EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 70000 + me);
      EXPECT_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | (3 + me));
      atomic_fetch_add(&answered, 1);
    }
}

static void setup(void) {
  for (long i = 0; i < kThreads; ++i) start_thread(worker, (void *)i);
  WAIT_FOR(answered == kThreads);
}

static void verify(void) {
  answered = 0;
  atomic_fetch_add(&look, 1);
  WAIT_FOR(answered == kThreads);
}
