// setitimer of all three kinds and alarm: remaining time and interval are kept, signals keep coming.
#include <sys/time.h>

#include "subject.h"

static atomic_int alarms, virtuals, profs;
static void on_alarm(int n) { n == SIGALRM ? alarms++ : n == SIGVTALRM ? virtuals++ : profs++; }

static void *busy(void *unused) {
  for (;;)
    for (volatile int i = 0; i < 1000; ++i) {
    }
}

static void setup(void) {
  struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL), sigaction(SIGVTALRM, &a, NULL), sigaction(SIGPROF, &a, NULL);
  struct itimerval t = {{0, 50000}, {0, 50000}}, far = {{7, 0}, {5000, 0}};
  EXPECT(!setitimer(ITIMER_REAL, &t, NULL));
  EXPECT(!setitimer(ITIMER_VIRTUAL, &t, NULL));
  EXPECT(!setitimer(ITIMER_PROF, &far, NULL));
  start_thread(busy, NULL);
}

static void verify(void) {
  struct itimerval t;
  int before = alarms, ticks = virtuals;
  WAIT_FOR(alarms > before + 3);
  WAIT_FOR(virtuals > ticks + 3);
  EXPECT(!getitimer(ITIMER_REAL, &t));
  EXPECT_EQ(t.it_interval.tv_usec, 50000);
  EXPECT(!getitimer(ITIMER_PROF, &t));
  EXPECT_EQ(t.it_interval.tv_sec, 7);
  EXPECT(t.it_value.tv_sec > 4900 && t.it_value.tv_sec < 5000);
  EXPECT_EQ(profs, 0);
}
