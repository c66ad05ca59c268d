// Children that begin to run.
#pragma once

namespace mig {

/// fork: what the child must know of itself. Registered once, at the program's start.
void watch_forks();

}  // namespace mig
