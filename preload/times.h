// Clocks that never go back and CPU time that goes on, over restarts.
#pragma once
#include "image/records.h"

namespace mig {

/// The program's clocks and CPU times now, into the record.
void save_times(ProcessRecord& p);

/// After a restart: from the values noted by the last save_times().
void continue_times();

/// What is added to the kernel's CLOCK_MONOTONIC and CLOCK_BOOTTIME for the program. Zero before the first restart.
extern int64_t monotonic_shift, boottime_shift;

/// CPU time used in earlier generations.
int64_t earlier_cpu_time();

}  // namespace mig
