// Addresses in the vDSO that a program looked up by itself, and kept: they work after every restart and agree with the
// system calls, and the tables in which they were found still stand where auxv says.
#include <elf.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

#include "subject.h"

enum { kClockGettime, kGettimeofday, kTime, kGetcpu, kClockGetres, kCount };
static const char *const names[kCount] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu", "__vdso_clock_getres"};
static void *kept[kCount];
static int64_t last;

static void *look_up(const char *name) {
  const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
  const ElfW(Ehdr) *header = (const void *)base;
  const ElfW(Phdr) *ph = (const void *)(base + header->e_phoff);
  const ElfW(Dyn) *dynamic = NULL;
  for (int i = 0; i < header->e_phnum; ++i)
    if (ph[i].p_type == PT_DYNAMIC) dynamic = (const void *)(base + ph[i].p_offset);
  const ElfW(Sym) *symbols = NULL;
  const char *strings = NULL;
  for (; dynamic->d_tag; ++dynamic) {
    if (dynamic->d_tag == DT_SYMTAB) symbols = (const void *)(base + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_STRTAB) strings = base + dynamic->d_un.d_ptr;
  }
  for (const ElfW(Sym) *s = symbols; (const char *)s < strings; ++s)
    if (!strcmp(strings + s->st_name, name)) return (void *)(base + s->st_value);
  return NULL;
}

static void near(const char *what, int64_t a, int64_t b) {
  if (a - b > 2000000000 || b - a > 2000000000) fail("%s: %ld ms apart", what, (long)((a - b) / 1000000));
}

/// The runner says which vDSO must answer: 0 for the kernel's own.
static long expected_kind(void) {
  FILE *f = fopen(in_directory("kind"), "re");
  long kind = 0;
  if (!f) return 0;
  if (fscanf(f, "%ld", &kind) != 1) kind = 0;
  fclose(f);
  return kind;
}

static void use(void) {
  struct timespec t;
  struct timeval v;
  unsigned cpu = ~0u, node;
  long (*clock_gettime_)(long, struct timespec *) = kept[kClockGettime];
  EXPECT_EQ(clock_gettime_(CLOCK_REALTIME, &t), 0);
  int64_t now = t.tv_sec * 1000000000LL + t.tv_nsec;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
  near("clock_gettime", now, t.tv_sec * 1000000000LL + t.tv_nsec);
  EXPECT_EQ(clock_gettime_(CLOCK_MONOTONIC, &t), 0);
  int64_t mine = t.tv_sec * 1000000000LL + t.tv_nsec;
  near("CLOCK_MONOTONIC by libc", mine, now_ns(CLOCK_MONOTONIC));
  if (mine < last) fail("CLOCK_MONOTONIC went back by %ld ms", (long)((last - mine) / 1000000));
  last = mine;
  if (kept[kGettimeofday]) {
    EXPECT_EQ(((long (*)(struct timeval *, void *))kept[kGettimeofday])(&v, NULL), 0);
    near("gettimeofday", v.tv_sec * 1000000000LL + v.tv_usec * 1000, now);
  }
  if (kept[kTime]) near("time", ((long (*)(long *))kept[kTime])(NULL) * 1000000000LL, now);
  if (kept[kGetcpu]) {
    EXPECT_EQ(((long (*)(unsigned *, unsigned *, void *))kept[kGetcpu])(&cpu, &node, NULL), 0);
    EXPECT(cpu < 4096);
  }
  if (kept[kClockGetres]) {
    EXPECT_EQ(((long (*)(long, struct timespec *))kept[kClockGetres])(CLOCK_MONOTONIC, &t), 0);
    EXPECT(t.tv_nsec > 0);
  }
  EXPECT_EQ(gettimeofday(&v, NULL), 0);
  near("gettimeofday by libc", v.tv_sec * 1000000000LL + v.tv_usec * 1000, now);
  near("time by libc", time(NULL) * 1000000000LL, now);
  EXPECT(sched_getcpu() >= 0);
  EXPECT_EQ(getcpu(&cpu, &node), 0);
}

static void setup(void) {
  if (!getauxval(AT_SYSINFO_EHDR)) skip("this kernel gives no vDSO");
  for (int i = 0; i < kCount; ++i) kept[i] = look_up(names[i]);
  if (!kept[kClockGettime]) skip("this kernel's vDSO has no clock_gettime");
  use();
}

static void verify(void) {
  struct timespec t;
  for (int i = 0; i < kCount; ++i) EXPECT(look_up(names[i]) == kept[i]);
  use();
  long kind = ((long (*)(long, struct timespec *))kept[kClockGettime])(0x4d4947, &t);
  EXPECT_EQ(kind < 0 ? 0 : kind, expected_kind());
}
