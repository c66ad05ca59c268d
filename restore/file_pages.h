// Unchanged pages of mapped files, which stand in the file of one process of the job.
#pragma once
#include "restore/plan.h"

namespace mig {

/// Loads those of the mapped file at [address, address + size), for a file that is not here as it was.
void load_file_pages(const Plan& plan, const MappingRecord& mapping, uint64_t address, uint64_t size);

}  // namespace mig
