// What the kernel keeps for each thread although a process has it once.
#pragma once
#include <stdint.h>

namespace mig {

/// A number for the calling thread's identity and rights: the same for two threads that have the same.
uint64_t thread_rights();
/// Every stopped thread has the rights, the directory and the table of descriptors of this one. False: the failure is set.
bool threads_are_alike();

}  // namespace mig
