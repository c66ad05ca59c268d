// Clocks: MONOTONIC and BOOTTIME never go back and do not leap ahead of real time, CPU time and getrusage go on, times(2) too.
#include <sys/resource.h>
#include <sys/times.h>

#include "subject.h"

static int64_t last[5];
static struct rusage usage;
static clock_t ticks;
static const clockid_t kinds[5] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME};

static void note(void) {
  struct tms t;
  for (int i = 0; i < 5; ++i) last[i] = now_ns(kinds[i]);
  getrusage(RUSAGE_SELF, &usage);
  ticks = times(&t);
}

static void setup(void) {
  int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 300000000;
  while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end) {
  }
  note();
}

static void verify(void) {
  struct rusage u;
  struct tms t;
  for (int i = 0; i < 5; ++i) {
    int64_t now = now_ns(kinds[i]), passed = now - last[i];
    if (passed < 0) fail("clock %d went back by %ld ms", kinds[i], (long)(-passed / 1000000));
    if (passed > 60000000000) fail("clock %d leapt by %ld s", kinds[i], (long)(passed / 1000000000));
  }
  EXPECT(now_ns(CLOCK_THREAD_CPUTIME_ID) >= 250000000);
  getrusage(RUSAGE_SELF, &u);
  EXPECT(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec >=
         usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec);
  EXPECT(times(&t) >= ticks);
  EXPECT(t.tms_utime + t.tms_stime >= 25);
  EXPECT(clock() >= 250000);
  note();
}
