// The signal frames on the stacks of a thread: the one it was stopped by, and those of the program's own handlers that it
// was in the middle of.
#pragma once
#include <stdint.h>

namespace mig {

/// Calls visit(area): the extended state of each frame, from the innermost outwards. `frame`: the ucontext_t of the innermost;
/// `noted`: the CPU that wrote them notes what it wrote (XSAVE). False as soon as `visit` returns false.
bool each_frame(uint64_t frame, bool noted, bool (*visit)(void* area, void* argument), void* argument);

}  // namespace mig
