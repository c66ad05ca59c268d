// Signal dispositions and timers.
#pragma once

namespace mig {

void restore_signal_actions();
/// Timers start to run again: last of all.
void restore_timers();

}  // namespace mig
