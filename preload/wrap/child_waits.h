// Waiting for children, and taking signals, by the numbers that the program knows processes by, across a restart.
#pragma once
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>

#include "preload/arch/x86_64/frame.h"

namespace mig {

/// As wait4(2) and waitid(2), by the kernel's convention.
long wait_for_child(int32_t target, int* status, int options, rusage* usage);
long wait_for_child(int which, int32_t id, siginfo_t* info, int options, rusage* usage);

/// Whether a child that nobody has waited for has left a core file: noted at each checkpoint, told by waits after a restart.
bool has_dumped(int32_t number, bool note);

/// As read(2) of a signalfd, or rt_sigtimedwait(2); `translate` is called when something has come.
long take_signals(long number, long a, void* buffer, long c, long d, void (*translate)(void* buffer, long result));

/// The thread waits for a child or a signal, or is about to; no result that must be translated has come.
bool is_in_child_wait(const Frame& frame);
/// After a restart: the number that the wait goes on with.
void renew_child_wait(Frame& frame);
/// The same for the waits of this thread that handlers of the program have interrupted. `now`: where the thread goes on.
void renew_interrupted_waits(const ucontext_t& now);

}  // namespace mig
