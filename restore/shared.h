// What more than one process has: opened or made once, before the processes are forked, which inherit it.
#pragma once
#include "restore/description.h"
#include "restore/plan.h"

namespace mig {

/// Lists every description of the job once (all_descriptions) and opens those that several processes need; makes the memory
/// that they share. Changes nothing of the user's. What it opens stands on numbers that no process uses (move_aside).
void open_shared_things(Plan& plan);

/// Another process's file has what belongs to this description of process `vpid`.
inline bool is_borrowed(const DescriptionRecord& r, int32_t vpid) {
  return r.shared && static_cast<int32_t>(r.owner_vpid) != vpid;
}
/// The index in all_descriptions() of the description with that number within the job.
size_t shared_description(uint64_t number);

}  // namespace mig
