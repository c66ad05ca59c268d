// What the process has registered for membarrier(2).
#pragma once
#include <stdint.h>

namespace mig {

/// Bits MEMBARRIER_CMD_REGISTER_* in force.
uint32_t membarrier_registrations();

}  // namespace mig
