// The table of members in the job's control block: how a process gets its entry, finds it again, and gives it back.
#pragma once
#include <stdint.h>

#include "image/job.h"

namespace mig {

uint32_t member_count();
/// Another control block has been mapped.
void forget_member_count();

/// The entry of this process, or nullptr.
Member* own_entry();
/// After exec, or when its parent has entered it: the process takes the entry and its ids. False: the entry is of an earlier process
/// with the same pid.
bool adopt_own_entry(Member* m);
/// A new entry for this process, looked for from that place on; state.member is -1 if there is none.
void enter_member(int32_t first);
/// The process has entered by itself, and its parent perhaps too: one entry stays.
void free_twin();
/// A child that has become another program, by its real and its virtual number: it is a member from now on, as one that
/// executes, until its constructor takes the entry.
void enter_started(int32_t real, int32_t number);
/// A program that was spawned has no entry from before; what restricts its parent restricts it.
bool is_parent_landlocked();

/// Frees the entry of the process that had it, if nobody else has: its start time is 0 from then on until a new one has entered.
void free_entry(Member& m, int32_t pid);
/// A child of the process that has the entry is a member now, or was not born. The last of one that has left frees the entry.
void end_birth(Member& m, int32_t pid);
bool others_live();

}  // namespace mig
