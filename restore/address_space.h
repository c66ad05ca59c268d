// Making room: a process that is to become another one lets go of all that was mapped.
#pragma once

namespace mig {

/// Unmaps everything of this process outside home and the vDSO; returns the vDSO's address (moved if in the way).
unsigned long clear_address_space();

}  // namespace mig
