// Children that begin to run.
#pragma once
#include <stdint.h>

#include "preload/ids.h"
#include "preload/job.h"
#include "preload/mark.h"
#include "preload/state.h"

namespace mig {

/// In the child of a fork: it is a process of its own.
void begin_as_child();

/// For a child that enters the job by itself: it is expected from before its birth.
template <class Birth>
long fork_member(Birth birth) {
  expect_child();
  long child = birth();
  if (failed(child)) forget_expected_child();
  return child;
}

/// What the parent is told of a child. Born before a restart, the child keeps the number it was born with.
template <class Birth>
int32_t born_by(Birth birth) {
  uint64_t generation = state.generation;
  auto child = static_cast<int32_t>(birth());
  Mark not_split;
  return child > 0 && generation == state.generation ? adopt_new_task(child) : child;
}

}  // namespace mig
