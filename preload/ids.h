// Virtual ids: the numbers that the program was born with and keeps, against the kernel's numbers of today.
#pragma once
#include <stdint.h>

namespace mig {

/// The virtual number of a process or thread of this job; any other number as it is.
int32_t virtual_id(int32_t real);
int32_t real_id(int32_t virtual_number);

/// After a restart: what each thread's slot was told by the stub.
void learn_real_ids();

}  // namespace mig
