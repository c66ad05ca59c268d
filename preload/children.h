// Children of the process: a checkpoint does not cover them yet.
#pragma once

namespace mig {

/// True: there is a child, living or not waited for; `state.failure` names it.
bool refuse_children();

/// In a child that has memory of its own: a process of its own.
void begin_as_child();

/// fork: what the child must know of itself. Registered once, at the program's start.
void watch_forks();

}  // namespace mig
