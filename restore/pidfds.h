// pidfds: each names a process that exists only when all have been forked.
#pragma once
#include "restore/description.h"

namespace mig {

/// Before the fork, for one that several processes are to have: the way by which they will get it.
void promise_pidfd(PreparedDescription& p);
/// When every process exists: opens it, or gets it from `p`'s own process. Again: does nothing.
void open_pidfd(PreparedDescription& p);

}  // namespace mig
