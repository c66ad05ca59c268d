#include "restore/signals.h"

#include "restore/failure.h"
#include "restore/image_file.h"

namespace mig {
namespace {

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

}  // namespace

void restore_signal_actions() {
  KernelAction standard{};
  for (int signal = 1; signal <= 64; ++signal) sys(__NR_rt_sigaction, signal, &standard, nullptr, 8);
  image.each_as<SignalActionRecord>(RecordType::kSignalAction, [](const SignalActionRecord& r, const char*) {
    KernelAction a{r.handler, r.flags, r.restorer, r.mask};
    sys(__NR_rt_sigaction, r.signal, &a, nullptr, 8);
  });
}

}  // namespace mig
