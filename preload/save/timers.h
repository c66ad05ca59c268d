// Interval timers and POSIX timers.
#pragma once
#include <signal.h>

#include "preload/save/image_writer.h"

namespace mig {

/// Looks at all timers; the pending signals have been taken. False: `state.failure` is set.
bool note_timers();
bool save_timers(ImageWriter& writer);

/// For a timer's signal that was taken and stays blocked: lets the timer have expired as often as it had, so that the
/// kernel itself sends the signal again. False: not a signal of a timer with which this can be done.
bool set_timer_back(const siginfo_t& info);

/// A timer on a thread's CPU time was made by the calling thread: the kernel does not tell which.
void note_thread_timer(int id);

/// The clock of a POSIX timer, by the kernel's number of it; -1: unknown.
long timer_clock(int id);

}  // namespace mig
