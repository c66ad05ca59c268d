// Checkpoints at intervals (MIG_EVERY), without a thread or a process of ours: a kernel timer sends the request signal.
#pragma once

namespace mig {

/// Starts the timer if `state.period` is set. At the start of a program or process, and after each restart.
void start_period();
/// A tick of this process's timer: whether it is to be answered here.
bool keeps_period();

}  // namespace mig
