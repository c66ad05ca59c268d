// What more than one process has: opened or made once, before the processes are forked, which inherit it.
#pragma once
#include "restore/plan.h"

namespace mig {

/// Changes nothing of the user's. What it opens stands on numbers that no process uses (move_aside).
void open_shared_things(Plan& plan);

}  // namespace mig
