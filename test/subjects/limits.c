// Resource limits, soft and hard.
#include <sys/resource.h>

#include "subject.h"

static struct rlimit before[RLIM_NLIMITS];

static void setup(void) {
  struct rlimit r;
  getrlimit(RLIMIT_CORE, &r);
  r.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &r);
  r = (struct rlimit){200, 300};
  EXPECT(!setrlimit(RLIMIT_NOFILE, &r));
  r = (struct rlimit){5 << 20, 6 << 20};
  EXPECT(!setrlimit(RLIMIT_STACK, &r));
  r = (struct rlimit){1000000, 2000000};
  EXPECT(!setrlimit(RLIMIT_CPU, &r));
  r = (struct rlimit){0, 0};
  EXPECT(!setrlimit(RLIMIT_MSGQUEUE, &r));
  r = (struct rlimit){64L << 30, 64L << 30};
  EXPECT(!setrlimit(RLIMIT_AS, &r));
  for (int i = 0; i < RLIM_NLIMITS; ++i) getrlimit(i, &before[i]);
}

static void verify(void) {
  for (int i = 0; i < RLIM_NLIMITS; ++i) {
    struct rlimit now;
    EXPECT(!getrlimit(i, &now));
    if (now.rlim_cur != before[i].rlim_cur || now.rlim_max != before[i].rlim_max)
      fail("limit %d: %ld %ld, before %ld %ld", i, (long)now.rlim_cur, (long)now.rlim_max, (long)before[i].rlim_cur, (long)before[i].rlim_max);
  }
}
