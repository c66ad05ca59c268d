// Descriptors: opened aside while everything can still be given up, put into place when nothing can fail any more.
#pragma once
#include "restore/plan.h"

namespace mig {

/// Before anything is opened aside: learns which numbers the processes use, all of them together, since what they share is
/// opened before they are forked. Closes what the restarting shell left open.
void reserve_numbers(const Plan& plan);

/// Opens every description of the process (index in the plan) on numbers that no program uses. Changes nothing of the user's.
void prepare_files(int32_t process);

/// Puts descriptors into place, closes everything else but `keep`, and cuts back files that the program writes.
void install_files(int keep);

}  // namespace mig
