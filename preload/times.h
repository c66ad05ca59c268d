// Clocks that never go back and CPU time that goes on, over restarts.
#pragma once
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>

#include "image/base/clock.h"
#include "image/records.h"

namespace mig {

/// The program's clocks and CPU times now, into the record.
void save_times(ProcessRecord& p);

/// The program's clocks go on from here: called when everything that has a remaining time has been looked at, so that
/// nothing ends before its time.
ClocksRecord note_clocks();

/// After a restart: from the values noted by the last save_times().
void continue_times();

/// What is added to the kernel's CLOCK_MONOTONIC and CLOCK_BOOTTIME for the program. Zero before the first restart.
extern int64_t monotonic_shift, boottime_shift;

/// Counts changes of the shifts. A clock that was read before a change and is shifted after it would go back: who reads
/// one compares this before and after, and reads again.
extern uint32_t clock_epoch;

/// The program's CLOCK_MONOTONIC, by system call.
inline int64_t program_clock() {
  return clock_now(CLOCK_MONOTONIC) + monotonic_shift;
}

/// What is added to the kernel's `clock` for the program.
int64_t clock_shift(long clock);
/// By how much the last restart changed that.
int64_t clock_step(long clock);

/// CPU time that the calling thread used in earlier generations.
inline thread_local int64_t earlier_thread_time __attribute__((tls_model("initial-exec"))) = 0;

/// The program's view of a clock, by system call; of getrusage(2) and times(2). The kernel's convention.
long get_clock(long clock, timespec* time);
long get_usage(int who, rusage* usage);
long get_times(tms* times);

/// In the child of a fork: it has used nothing yet.
void forget_times();

/// CPU time used in earlier generations.
int64_t earlier_cpu_time();

}  // namespace mig
