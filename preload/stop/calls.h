// Interrupted system calls: making a stopped thread's call go on as if nothing had happened.
#pragma once
#include "preload/state.h"

namespace mig {

/// Rewinds the call in the frame that a signal of ours ended, if it did.
void continue_call(const Interruption& stop);

}  // namespace mig
