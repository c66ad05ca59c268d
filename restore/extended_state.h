// Extended state: vector registers and what else a signal frame holds, on a CPU or kernel that may differ.
#pragma once
#include "image/records.h"

namespace mig {

/// With the memory in place and before the commit: rewrites the signal frames of every thread for this CPU, and asks the
/// kernel for the components that need its permission. Gives up where a value would be lost.
void adapt_extended_state();

/// By each thread for itself: makes room for what its frame holds.
void enter_extended_state(const ThreadRecord& thread);

}  // namespace mig
