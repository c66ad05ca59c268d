// What the kernel keeps for each thread although a process has it once.
#pragma once
#include <stdint.h>

namespace mig {

/// False: the calling thread has switched the instruction off (arch_prctl(2), ARCH_SET_CPUID), and would be ended by it.
bool may_ask_cpuid();
/// A number for the calling thread's identity and rights: the same for two threads that have the same.
uint64_t thread_rights();
/// Every stopped thread has the rights, the directory and the table of descriptors of this one. False: the failure is set.
bool threads_are_alike();

}  // namespace mig
