// Calls that wait for a time, or until one.
#pragma once

namespace mig {

/// One of them by its number, as syscall(2) has it: the wait is noted, deadlines are translated. The kernel's convention.
long call_with_time(long number, long a, long b, long c, long d, long e, long f);

}  // namespace mig
