// Signals: dispositions, what is pending (preload/stop/pending.cpp), timers (preload/save/timers.cpp).
#include "preload/save/signals.h"

#include <errno.h>
#include <string.h>

#include "image/base/text.h"
#include "preload/save/timers.h"
#include "preload/state.h"
#include "preload/stop/pending.h"
#include "preload/stop/stop.h"

namespace mig {
namespace {

constexpr int kLooks = 8;

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

bool save_actions(ImageWriter& writer) {
  for (uint32_t signal = 1; signal <= 64; ++signal) {
    KernelAction a{};
    if (signal == static_cast<uint32_t>(state.signal) || signal == kStopSignal) continue;
    if (sys(__NR_rt_sigaction, signal, nullptr, &a, 8) < 0) continue;
    if (!a.handler && !a.flags && !a.mask) continue;
    SignalActionRecord r{signal, 0, a.handler, a.flags, a.restorer, a.mask};
    if (!writer.record(RecordType::kSignalAction, r)) return false;
  }
  return true;
}

}  // namespace

bool save_signals(ImageWriter& writer) {
  if (save_actions(writer) && save_pending_signals(writer) && save_timers(writer)) return true;
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

/// A timer that expires between the two looks has a signal pending: then both are looked at again.
bool note_pending_signals() {
  for (int i = 0; i < kLooks; ++i) {
    note_process_signals();
    if (!note_timers()) return false;
    if (pending_signals_lost()) return refuse(Error::kPendingLost, "the pending signals", "the kernel gave no memory for them");
    if (!pending_signals()) return true;
  }
  return true;
}

void return_pending_signals() {
  return_process_signals();
}

}  // namespace mig
