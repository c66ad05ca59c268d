// A vDSO that no kernel has: another size, order and set of functions, for restarts "on another kernel" (test/cases/kernel.py).
// KIND 1 has a classic hash table and lacks gettimeofday and getcpu; KIND 2 has a GNU hash table, lacks time, and begins
// with a page of nothing. clock_gettime of clock 0x4d4947 returns KIND, so that a program can tell who answered.
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

#define PUBLIC __attribute__((visibility("default"), used))
#if KIND == 2
__asm__(".text\n .skip 5000, 0xcc\n");
PUBLIC long __vdso_getcpu(unsigned *cpu, unsigned *node) {
  return call(SYS_getcpu, (long)cpu, (long)node, 0);
}
PUBLIC long __vdso_gettimeofday(void *t, void *zone) {
  return call(SYS_gettimeofday, (long)t, (long)zone, 0);
}
#endif
PUBLIC long __vdso_clock_gettime(long clock, struct timespec *t) {
  return clock == 0x4d4947 ? KIND : call(SYS_clock_gettime, clock, (long)t, 0);
}
#if KIND == 1
PUBLIC long __vdso_time(long *t) {
  return call(SYS_time, (long)t, 0, 0);
}
PUBLIC long __vdso_clock_getres(long clock, struct timespec *t) {
  return call(SYS_clock_getres, clock, (long)t, 0);
}
#endif
