#include "restore/signals.h"

#include <sys/time.h>

#include "image/base/clock.h"
#include "restore/failure.h"
#include "restore/image_file.h"

namespace mig {
namespace {

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

timeval to_timeval(int64_t ns) {
  return {ns / kSecond, ns % kSecond / 1000};
}

}  // namespace

void restore_signal_actions() {
  KernelAction standard{};
  for (int signal = 1; signal <= 64; ++signal) sys(__NR_rt_sigaction, signal, &standard, nullptr, 8);
  image.each_as<SignalActionRecord>(RecordType::kSignalAction, [](const SignalActionRecord& r, const char*) {
    KernelAction a{r.handler, r.flags, r.restorer, r.mask};
    sys(__NR_rt_sigaction, r.signal, &a, nullptr, 8);
  });
}

void restore_timers() {
  image.each_as<IntervalTimerRecord>(RecordType::kIntervalTimer, [](const IntervalTimerRecord& r, const char*) {
    itimerval t{to_timeval(r.interval), to_timeval(r.value)};
    sys(__NR_setitimer, r.which, &t, nullptr);
  });
}

}  // namespace mig
