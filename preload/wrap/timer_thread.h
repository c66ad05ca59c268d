// Timers that start a thread (SIGEV_THREAD), made after a restart.
#pragma once
#include <signal.h>
#include <time.h>

namespace mig {

/// timer_create(2) for SIGEV_THREAD, by a helper thread of the library. The timer's number is the kernel's. -1 and errno.
int create_thread_timer(clockid_t clock, const sigevent& event, timer_t* timer);

/// The timer was deleted.
void forget_thread_timer(timer_t timer);

}  // namespace mig
