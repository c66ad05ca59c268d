// Processes that were stopped by a signal (Ctrl-Z, SIGSTOP) when the cut began.
#pragma once
#include <stdint.h>

#include "image/job.h"

namespace mig {

/// The leader, behind the request it has sent: lets the process run for the length of the cut.
void continue_member(Member& m);

/// In the process itself, when it stands still: the SIGCONT of the cut is none of the program's.
void note_own_stop();
/// After a restart, before the members meet: lets the parent know of it.
void announce_stop();
/// At the end, after a restart too: stops again. Returns when somebody continues the process.
void stop_again();
/// In every process, when all have put their signals back: takes the news of children that stop again, which the program
/// has had before.
void swallow_stops();
/// The signal that the image says has stopped the process, 0: none.
uint32_t own_stop_signal();

}  // namespace mig
