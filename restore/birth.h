// The processes of the job come into being.
#pragma once
#include "restore/lineage.h"

namespace mig {

/// Forks the tree. Returns in every process that has a process file, with its index in the plan: parents, sessions and groups
/// are then as they were, children that had ended have ended, and helpers are gone.
int32_t give_birth(Lineage& lineage);

}  // namespace mig
