// Wrappers: CPU time that goes on over restarts. clock() and clock_gettime() need none: libc asks the vDSO, which after a
// restart leads to preload/vdso.cpp.
#include <sys/resource.h>
#include <sys/times.h>

#include "preload/times.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

using namespace mig;

MIG_EXPORT int getrusage(__rusage_who_t who, rusage* usage) noexcept {
  return int_with_errno(get_usage(who, usage));
}
MIG_EXPORT clock_t times(tms* buffer) noexcept {
  return get_times(buffer);
}
