// Contexts of the kernel's asynchronous I/O (io_setup(2)).
#pragma once
#include <stdint.h>

namespace mig {

/// With the threads stopped: waits until no context has a request under way, whose result would come from nowhere after a restart.
/// False: one has a request that does not end; `state.failure` names it.
bool rest_async_contexts();

/// Whether a mapping of a ring is a context of this process, not the view of one that a child of fork has inherited.
bool is_async_ring(uint64_t address, uint64_t size);

}  // namespace mig
