// Children that begin to run.
#pragma once
#include <stdint.h>
#include <sys/types.h>

namespace mig {

/// In the child of a fork: it is a process of its own.
void begin_as_child();

/// What the parent is told of a child that the kernel told it of, in the generation before the call. Born before a restart, it
/// keeps the number it was born with.
pid_t number_of_child(pid_t child, uint64_t generation);

}  // namespace mig
