// Things of libc: errno of each thread, locale, random state, environment changes, time zone, stdin and stdout.
#include <locale.h>

#include "subject.h"

static atomic_int go, back;
static long wanted;
static char state[64];

static void *worker(void *unused) {
  errno = 123;
  while (!go) {
  }
  back = errno;
  return NULL;
}
static pthread_t thread;

static void setup(void) {
  setlocale(LC_ALL, "C.UTF-8");
  setenv("TZ", "Asia/Tokyo", 1), tzset();
  initstate(5, state, sizeof state);
  thread = start_thread(worker, NULL);
  wanted = 1;
}

static void verify(void) {
  EXPECT_STR(setlocale(LC_ALL, NULL), "C.UTF-8");
  EXPECT_EQ(mblen("\xc3\xa4", 2), 2);
  EXPECT_EQ(timezone, -9 * 3600);
  static long first[2];
  if (generation == 0) first[0] = random();
  char mine[64], *old = initstate(5, mine, sizeof mine);
  if (generation == 0) EXPECT_EQ(random(), first[0]);
  setstate(old);
  go = 1;
  pthread_join(thread, NULL);
  EXPECT_EQ(back, 123);
  go = 0;
  thread = start_thread(worker, NULL);
}
