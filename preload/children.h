// Children of the process: a checkpoint does not cover them yet.
#pragma once

namespace mig {

/// True: there is a child, living or not waited for; `state.failure` names it.
bool refuse_children();

/// fork: what the child must know of itself. Registered once, at the program's start.
void watch_forks();
/// In the child, where libc does not know of the fork.
void begin_as_child();

}  // namespace mig
