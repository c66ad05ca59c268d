// Interval timers and POSIX timers.
#pragma once

namespace mig {

/// Timers start to run again: last of all. Every thread exists.
void restore_timers();

}  // namespace mig
