// Interrupted system calls: making a stopped thread's call go on as if nothing had happened.
#pragma once
#include "preload/state.h"

namespace mig {

/// Rewinds the call in `slot->frame` that the stop signal ended, if it did.
void continue_call(ThreadSlot* slot);

}  // namespace mig
