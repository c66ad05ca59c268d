// Stopped inside handlers inside handlers, on the ordinary and on an alternate stack: what was interrupted has its vector and
// floating point registers back when they return. On another CPU the frames on the stacks must be rewritten for that.
#include <ucontext.h>

#include "subject.h"

enum { kThreads = 2, kLevels = 3 };
static struct {
  atomic_int depth, leave;
  atomic_long rounds;
} threads[kThreads];
static __thread int me, level;

__attribute__((target("avx"))) static void interrupted(uint64_t x) {
  uint64_t in[4] = {x, x + 1, x + 2, x + 3}, low[4] = {0}, high[4] = {0};
  double number = x / 3.0, back = 0;
  // Wrong instruction: the handler runs right there and goes on behind it.
  __asm__ volatile(
      "vmovdqu %4, %%ymm1\n vmovdqu %4, %%ymm15\n fldl %3\n"
      "ud2\n"
      "vmovdqu %%ymm1, %0\n vmovdqu %%ymm15, %1\n fstpl %2\n vzeroupper"
      : "=m"(low), "=m"(high), "=m"(back)
      : "m"(number), "m"(in)
      : "xmm1", "xmm15", "st", "memory");
  if (memcmp(in, low, 32) || memcmp(in, high, 32)) fail("thread %d, level %d: vector registers have changed", me, level);
  if (number != back) fail("thread %d, level %d: floating point registers have changed", me, level);
}

static void handler(int signal, siginfo_t *info, void *context) {
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
  if (++level < kLevels) {
    interrupted(0x1111111111 * level + me);
  } else {
    threads[me].depth = level;
    while (!threads[me].leave) sleep_ms(1);
    threads[me].depth = 0;
  }
  --level;
}

static void *worker(void *argument) {
  me = (int)(long)argument;
  if (me == 1) {
    static char stack[256 << 10];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
  }
  for (;; threads[me].rounds++) interrupted(0x7777777777 + me);
}

static void setup(void) {
  if (!__builtin_cpu_supports("avx")) skip("no AVX");
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigaction(SIGILL, &action, NULL);
  for (long i = 0; i < kThreads; ++i) start_thread(worker, (void *)i);
  for (int i = 0; i < kThreads; ++i) WAIT_FOR(threads[i].depth == kLevels);
}

static void verify(void) {
  for (int i = 0; i < kThreads; ++i) {
    long before = threads[i].rounds;
    EXPECT_EQ(threads[i].depth, kLevels);
    threads[i].leave = 1;
    WAIT_FOR(threads[i].rounds > before + 1);
    threads[i].leave = 0;
    WAIT_FOR(threads[i].depth == kLevels);
  }
}
