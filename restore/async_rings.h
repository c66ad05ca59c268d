// Contexts of the kernel's asynchronous I/O.
#pragma once
#include "image/records.h"

namespace mig {

/// Makes the context whose ring was loaded as memory at its address, and puts it there.
void restore_async_ring(const MappingRecord& mapping);

}  // namespace mig
