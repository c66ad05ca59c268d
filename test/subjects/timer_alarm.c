// alarm(2) keeps its remaining seconds and fires once.
#include "subject.h"

static atomic_int fired;
static void on_alarm(int n) { fired++; }

static void setup(void) {
  struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  alarm(1000);
}

static void verify(void) {
  unsigned left = alarm(1);
  EXPECT(left > 900 && left <= 1000);
  WAIT_FOR(fired == generation + 1);
  EXPECT_EQ(alarm(1000), 0);
}
