// Signals: dispositions, what is pending, interval and POSIX timers.
#pragma once
#include "preload/save/image_writer.h"

namespace mig {

bool save_signals(ImageWriter& writer);

/// Takes the pending signals out of the kernel's queues, the only way to see their siginfo without ptrace, and looks at
/// the timers. False: `state.failure` is set.
bool note_pending_signals();
/// Puts them back, in order, or gives them to the threads that will take them. Also after a restart: the stub knows nothing
/// of them.
void return_pending_signals();

/// The program has set up an alternate stack on which its handlers must not be interrupted by our signals: those with
/// SA_ONSTACK are to have own_signals() in their masks.
bool small_alternate_stacks();
uint64_t own_signals();

}  // namespace mig
