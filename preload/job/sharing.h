// What clone(2) lets processes have in common: the table of descriptors (CLONE_FILES), working directory and umask (CLONE_FS).
#pragma once
#include "image/records.h"

namespace mig {

/// Finds out which process of the job saves this one's tables, and notes it.
bool claim_tables(ProcessRecord& p);
/// Another process saves the descriptors that this one has too.
bool borrows_descriptors();

}  // namespace mig
