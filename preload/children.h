// Children that begin to run.
#pragma once
#include <stdint.h>

#include "preload/ids.h"
#include "preload/state.h"

namespace mig {

/// In the child of a fork: it is a process of its own.
void begin_as_child();

/// What the parent is told of a child. Born before a restart, the child keeps the number it was born with.
template <class Birth>
int32_t born_by(Birth birth) {
  uint64_t generation = state.generation;
  auto child = static_cast<int32_t>(birth());
  return child > 0 && generation == state.generation ? adopt_new_task(child) : child;
}

}  // namespace mig
