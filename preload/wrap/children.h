// Children that begin to run.
#pragma once
#include <stdint.h>

#include "preload/ids.h"
#include "preload/job/job.h"
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

/// In the parent of a child that posix_spawn or vfork has started: if it has become another program, it is a member.
void note_started(int32_t real, int32_t number);

/// What the parent is told of a child. Born before a restart, the child keeps the number it was born with.
template <class Birth>
int32_t born_by(Birth birth, void (*note)(int32_t real, int32_t number) = nullptr) {
  uint64_t generation = state.generation;
  auto child = static_cast<int32_t>(birth());
  Mark not_split;
  if (child <= 0 || generation != state.generation) return child;
  int32_t number = adopt_new_task(child);
  if (note) note(child, number);
  return number;
}

/// The same of one that was started as another program.
template <class Birth>
int32_t started_by(Birth birth) {
  return born_by(birth, note_started);
}

}  // namespace mig
