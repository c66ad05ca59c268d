// Children that begin to run.
#pragma once

namespace mig {

/// fork: what the child must know of itself. Registered once, at the program's start.
void watch_forks();
/// In the child, where libc does not know of the fork.
void begin_as_child();

}  // namespace mig
