// timerfd: remaining time, interval, ticks not yet read, absolute ones, clocks and flags; timers so fast that they fire while they are saved.
#include <poll.h>
#include <sys/timerfd.h>

#include "subject.h"

enum { kPeriod = 30000000, kFast = 50 };  // ns
static int ticking, far, expired, absolute, fast[kFast];

static void setup(void) {
  struct itimerspec t = {{0, kPeriod}, {0, kPeriod}}, later = {{9, 0}, {5000, 0}}, soon = {{0, 0}, {0, 1000000}},
                    at = {{0, 0}, {0, 0}};
  ticking = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), far = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
  expired = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), absolute = timerfd_create(CLOCK_REALTIME, 0);
  at.it_value.tv_sec = time(NULL) + 5000;
  EXPECT(!timerfd_settime(ticking, 0, &t, NULL) && !timerfd_settime(far, 0, &later, NULL));
  EXPECT(!timerfd_settime(expired, 0, &soon, NULL) && !timerfd_settime(absolute, TFD_TIMER_ABSTIME, &at, NULL));
  for (int i = 0; i < kFast; ++i) {
    struct itimerspec period = {{0, 3000 + 100 * i}, {0, 3000 + 100 * i}};
    EXPECT((fast[i] = timerfd_create(CLOCK_MONOTONIC, 0)) >= 0 && !timerfd_settime(fast[i], 0, &period, NULL));
  }
  sleep_ms(20);
}

static void verify(void) {
  struct itimerspec t;
  uint64_t n = 0;
  int64_t begin = now_ns(CLOCK_MONOTONIC);
  EXPECT(read(ticking, &n, 8) == 8 && n >= 1);
  EXPECT(read(ticking, &n, 8) == 8 && n >= 1 && n <= (uint64_t)(now_ns(CLOCK_MONOTONIC) - begin) / kPeriod + 1);
  EXPECT(!timerfd_gettime(far, &t) && t.it_interval.tv_sec == 9 && t.it_value.tv_sec > 4900 && t.it_value.tv_sec < 5000);
  EXPECT(read(far, &n, 8) < 0 && errno == EAGAIN);
  EXPECT(read(expired, &n, 8) == 8 && n == 1);
  struct itimerspec soon = {{0, 0}, {0, 1000000}};
  timerfd_settime(expired, 0, &soon, NULL);
  sleep_ms(20);
  EXPECT(!timerfd_gettime(absolute, &t) && t.it_value.tv_sec > 4900 && t.it_value.tv_sec <= 5000);
  for (int i = 0; i < 2 * kFast; ++i) {  // one round takes the ticks that were not read
    struct pollfd ready = {fast[i % kFast], POLLIN, 0};
    EXPECT(poll(&ready, 1, 5000) == 1 && read(ready.fd, &n, 8) == 8 && n >= 1);
  }
  EXPECT_EQ(fcntl(ticking, F_GETFD), FD_CLOEXEC);
  EXPECT(fcntl(far, F_GETFL) & O_NONBLOCK);
}
