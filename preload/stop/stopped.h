// Processes that were stopped by a signal (Ctrl-Z, SIGSTOP) when the cut began.
#pragma once
#include <signal.h>
#include <stdint.h>

#include "image/job.h"

namespace mig {

/// The leader, behind the request it has sent: lets the process run for the length of the cut.
void continue_member(Member& m);

/// In every process, when it stands still: what it has not yet been told of its children, before any of them is continued.
void note_news();
/// In the process itself, when it stands still: the SIGCONT of the cut is none of the program's.
void note_own_stop();
/// After a restart, before the members meet: lets the parent know of it.
void announce_stop();
/// One that has been stopped since, by a member that still ran or by somebody outside, and was continued.
void note_late_stop();
/// At the end, after a restart too: stops again. Returns when somebody continues the process.
void stop_again();
/// The request that it was continued for is none any more.
void stay_stopped();
/// In every process, when the cut is over: takes the news of children that stop again, if the program has had them before.
void swallow_stops();
/// Such a SIGCHLD: only the cut has caused it.
bool is_news_of_cut(const siginfo_t& info);
/// The signal that the image says has stopped the process, 0: none.
uint32_t own_stop_signal();

}  // namespace mig
