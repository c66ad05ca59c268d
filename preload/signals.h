// Signals: dispositions, what is pending, interval and POSIX timers.
#pragma once
#include "preload/image_writer.h"

namespace mig {

bool save_signals(ImageWriter& writer);

/// Takes the pending signals out of the kernel's queues, the only way to see their siginfo without ptrace.
void note_pending_signals();
/// Puts them back, in order. Also after a restart: the stub knows nothing of them but what it shows.
void return_pending_signals();

}  // namespace mig
