// Wrappers: liburing's ways to make a ring, which answer as they do on a kernel without io_uring (wrap_syscall.cpp tells why).
// liburing makes its system calls by instructions of its own, which nobody sees; it looks up its own functions like anybody's.
#include <errno.h>

#include "preload/wrap/hook.h"

MIG_EXPORT int io_uring_queue_init(unsigned, void*, unsigned) noexcept {
  return -ENOSYS;
}
MIG_EXPORT int io_uring_queue_init_params(unsigned, void*, void*) noexcept {
  return -ENOSYS;
}
MIG_EXPORT int io_uring_queue_init_mem(unsigned, void*, void*, void*, unsigned long) noexcept {
  return -ENOSYS;
}
MIG_EXPORT int io_uring_setup(unsigned, void*) noexcept {
  return -ENOSYS;
}
