// The children of this process, while it stands still: members of the job, dead ones, and those that mig does not cover.
#pragma once
#include <stdint.h>

#include "preload/save/image_writer.h"

namespace mig {

/// Whether the process comes back with the job: it is a member, or a member's child that has ended and was not waited for.
bool is_of_job(int32_t real);

/// A child that was started as another program will be a member: the library can be loaded into it.
bool becomes_member(int32_t child);

/// Waits until every child is a member of the job or dead. False: one is neither; `state.failure` names it.
bool await_children(int64_t deadline);

/// Writes a ChildRecord for each child that has ended and that nobody has waited for.
bool save_dead_children(ImageWriter& writer);

/// For `mig check`: refuses with the name of a child that mig does not cover, without waiting. True: there is none.
bool all_children_covered();

}  // namespace mig
