// Alternate signal stacks of a program that are too small for our signal as well.
#pragma once
#include <signal.h>

namespace mig {

/// This thread's alternate stack as the program set it up, if the kernel has this one.
const stack_t& program_stack(const stack_t& kernels);

/// At the beginning of a handler with SA_ONSTACK, whose mask has own_signals(): lets them through again, with a larger
/// alternate stack beneath the program's small one. `context` is the handler's third argument.
void make_room(void* context);

}  // namespace mig
