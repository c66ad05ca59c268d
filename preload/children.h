// Children of the process: a checkpoint does not cover them yet.
#pragma once

namespace mig {

/// True: there is a child, living or not waited for; `state.failure` names it.
bool refuse_children();

/// In the child of a fork: it is a process of its own.
void begin_as_child();

}  // namespace mig
