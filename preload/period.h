// Checkpoints at intervals (MIG_EVERY), without a thread or a process of ours: a kernel timer sends the request signal.
#pragma once

namespace mig {

/// Starts the timer if `state.period` is set. At the program's start and after each restart.
void start_period();

}  // namespace mig
