// Nameless memory that several mappings show, of one process or of several.
#pragma once
#include "restore/mappings.h"
#include "restore/plan.h"

namespace mig {

/// Before the processes are forked: makes what several of them have mapped.
void make_shared_memory(const Plan& plan);

/// Maps the object that mapping number `index` shows, in all its views, if this is the first of them.
void map_shared_object(size_t index);
/// An object that a descriptor refers to as well is that descriptor's file. False: there is none.
bool map_described_object(const PlannedMapping& m);

/// When all views are mapped: lets go of what was made before the fork.
void leave_shared_memory();
/// What was made before the fork stands there.
bool is_shared_memory(uint64_t address);

}  // namespace mig
