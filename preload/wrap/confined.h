// Processes under a seccomp filter of their own, or strict seccomp: any call that the program itself does not make may be their end.
#pragma once
#include "preload/job/job.h"

namespace mig {

/// Set before the filter is; for the children too.
bool is_confined();
/// What another program that ran in this process has left in its entry.
void adopt_confinement(const Member& m);
/// prctl or seccomp by number, with which the process puts itself under one.
long confine(long number, long a, long b, long c, long d, long e);

}  // namespace mig
