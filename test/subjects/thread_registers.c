// Threads that compute with all general, vector and floating point registers without pause: a single wrong bit is seen.
#include <fenv.h>

#include "subject.h"

typedef uint64_t vector __attribute__((vector_size(64)));
static atomic_long rounds[3];
static int have_avx512;

// Each register gets a value made from its number, then a while passes, then all are compared.
static int general(uint64_t x) {
  uint64_t bad;
  __asm__ volatile(
      "mov %1, %%rbx\n lea 1(%1), %%rcx\n lea 2(%1), %%rdx\n lea 3(%1), %%rsi\n lea 4(%1), %%rdi\n lea 5(%1), %%r8\n"
      "lea 6(%1), %%r9\n lea 7(%1), %%r10\n lea 8(%1), %%r11\n lea 9(%1), %%r12\n lea 10(%1), %%r13\n lea 11(%1), %%r14\n"
      "mov $200000, %%r15\n 1: dec %%r15\n jnz 1b\n"
      "xor %0, %0\n"
      "sub %1, %%rbx\n or %%rbx, %0\n lea 1(%1), %%rbx\n sub %%rcx, %%rbx\n or %%rbx, %0\n lea 2(%1), %%rbx\n sub %%rdx, %%rbx\n or %%rbx, %0\n"
      "lea 3(%1), %%rbx\n sub %%rsi, %%rbx\n or %%rbx, %0\n lea 4(%1), %%rbx\n sub %%rdi, %%rbx\n or %%rbx, %0\n lea 5(%1), %%rbx\n sub %%r8, %%rbx\n or %%rbx, %0\n"
      "lea 6(%1), %%rbx\n sub %%r9, %%rbx\n or %%rbx, %0\n lea 7(%1), %%rbx\n sub %%r10, %%rbx\n or %%rbx, %0\n lea 8(%1), %%rbx\n sub %%r11, %%rbx\n or %%rbx, %0\n"
      "lea 9(%1), %%rbx\n sub %%r12, %%rbx\n or %%rbx, %0\n lea 10(%1), %%rbx\n sub %%r13, %%rbx\n or %%rbx, %0\n lea 11(%1), %%rbx\n sub %%r14, %%rbx\n or %%rbx, %0\n"
      : "=&a"(bad)
      : "r"(x)
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  return bad == 0;
}

__attribute__((target("avx512f"))) static int wide(uint64_t x) {
  vector in = {x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7}, out, high;
  uint64_t mask;
  __asm__ volatile(
      "vmovdqu64 %3, %%zmm1\n vmovdqu64 %3, %%zmm20\n kmovw %k4, %%k3\n mov $200000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
      "vmovdqu64 %%zmm1, %0\n vmovdqu64 %%zmm20, %1\n kmovw %%k3, %k2"
      : "=m"(out), "=m"(high), "=r"(mask)
      : "m"(in), "r"(x)
      : "rcx", "xmm1", "xmm20", "k3", "memory");
  return !memcmp(&in, &out, 64) && !memcmp(&in, &high, 64) && (mask & 0xffff) == (x & 0xffff);
}

__attribute__((target("avx"))) static int half(uint64_t x) {
  uint64_t in[4] = {x, x + 1, x + 2, x + 3}, out[4], low[4];
  __asm__ volatile("vmovdqu %2, %%ymm1\n vmovdqu %2, %%ymm15\n mov $200000, %%ecx\n 1: dec %%ecx\n jnz 1b\n vmovdqu %%ymm1, %0\n vmovdqu %%ymm15, %1"
                   : "=m"(out), "=m"(low)
                   : "m"(in)
                   : "rcx", "xmm1", "xmm15", "memory");
  return !memcmp(in, out, 32) && !memcmp(in, low, 32);
}

static void *worker(void *argument) {
  long kind = (long)argument;
  unsigned short control = 0x0e7f, now_control;
  unsigned mxcsr = 0x5f80, now_mxcsr;  // rounding towards -inf, all masked
  __asm__ volatile("fldcw %0\n ldmxcsr %1" ::"m"(control), "m"(mxcsr));
  for (uint64_t x = 0x1234567890 + kind;; x += 0x100010001) {
    if (!(kind == 0 ? general(x) : kind == 1 || !have_avx512 ? half(x) : wide(x))) fail("registers of kind %ld changed", kind);
    __asm__ volatile("fnstcw %0\n stmxcsr %1" : "=m"(now_control), "=m"(now_mxcsr));
    if (now_control != control || (now_mxcsr & ~63u) != mxcsr) fail("control words %x %x", now_control, now_mxcsr);
    atomic_fetch_add(&rounds[kind], 1);
  }
}

static void setup(void) {
  if (!__builtin_cpu_supports("avx")) skip("no AVX");
  have_avx512 = __builtin_cpu_supports("avx512f");
  for (long i = 0; i < 3; ++i) start_thread(worker, (void *)i);
}

static void verify(void) {
  for (int i = 0; i < 3; ++i) {
    long before = rounds[i];
    WAIT_FOR(rounds[i] > before + 3);
  }
}
