// A system call that every thread of the process makes for itself.
#pragma once
#include <signal.h>
#include <stdint.h>

namespace mig {

/// The kernel's result in the calling thread. A failure there reaches no other thread.
long in_every_thread(long number, long a, long b, long c);

bool is_errand(const siginfo_t* info);
/// In the handler of the thread that asks, as leader of a stop.
void lead_errand();
/// In every other thread, as it goes on.
void run_errand();

}  // namespace mig
