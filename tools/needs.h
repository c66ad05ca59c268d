// What a running job needs of the host that it moves to, seen from outside before it is stopped.
#pragma once
#include <stdint.h>

#include <set>
#include <string>

#include "tools/jobs.h"

namespace mig {

/// Bytes of its own memory, at most.
uint64_t memory_needed(const JobFile& job);

/// Files and directories that its processes have open, map shared or work in, and that have names.
std::set<std::string> paths_needed(const JobFile& job);

}  // namespace mig
