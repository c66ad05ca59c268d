// The other side of mig.h: what the checkpoint asks of it.
#pragma once
#include <stdint.h>

#include "preload/mig.h"

namespace mig {

bool checkpoints_forbidden();
void tell_program(mig_event event);

/// The part of [start, end) at its beginning that is not excluded is [start, result); `excluded_until` is where saving
/// goes on after that.
uint64_t saved_until(uint64_t start, uint64_t end, uint64_t& excluded_until);

}  // namespace mig
