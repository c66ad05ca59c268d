// From the kernel's convention to libc's.
#pragma once
#include <errno.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {

/// -1 and errno, or the value.
inline long with_errno(long result) {
  if (!failed(result)) return result;
  errno = static_cast<int>(-result);
  return -1;
}
inline int int_with_errno(long result) {
  return static_cast<int>(with_errno(result));
}
/// The error number itself, as the functions of pthreads return it.
inline int as_error(long result) {
  return failed(result) ? static_cast<int>(-result) : 0;
}

}  // namespace mig
