// Wrappers: fcntl(2), for F_SETOWN, F_GETOWN(_EX) and the holder's pid that F_GETLK tells.
#undef _FILE_OFFSET_BITS
#include <fcntl.h>

#include "preload/ids.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/owner.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

Hook<int (*)(int, int, long), "fcntl"> original_fcntl;
Hook<int (*)(int, int, long), "fcntl64"> original_fcntl64;

constexpr IdCall kSetOwner{{IdKind::kNone, IdKind::kNone, IdKind::kTarget}};

MIG_INLINE IdKind kind_of(const f_owner_ex& owner) {
  return owner.type == F_OWNER_PGRP ? IdKind::kGroup : IdKind::kTask;
}

MIG_UNSPLIT long set_owner(int fd, const f_owner_ex* owner) {
  f_owner_ex real{owner->type, static_cast<pid_t>(to_real(kind_of(*owner), owner->pid))};
  return sys(__NR_fcntl, fd, F_SETOWN_EX, &real);
}
MIG_UNSPLIT long get_owner(int fd, f_owner_ex* owner) {
  long r = sys(__NR_fcntl, fd, F_GETOWN_EX, owner);
  if (!failed(r)) owner->pid = static_cast<pid_t>(to_virtual(kind_of(*owner), owner->pid));
  return r;
}
MIG_UNSPLIT long get_lock(int fd, int command, struct flock* lock) {
  long r = sys(__NR_fcntl, fd, command, lock);
  if (!failed(r)) lock->l_pid = virtual_task(lock->l_pid);
  return r;
}

bool deals_with_ids(int command) {
  return command == F_SETOWN || command == F_GETOWN || command == F_SETOWN_EX || command == F_GETOWN_EX || command == F_GETLK ||
         command == F_OFD_GETLK;
}

long owner_number(int fd) {
  f_owner_ex owner{};
  long r = get_owner(fd, &owner);
  if (failed(r)) return r;
  return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

template <class Original>
int control(Original& original, int fd, int command, long argument) {
  if (!deals_with_ids(command)) return original(fd, command, argument);
  if (command == F_GETOWN) {  // a group's number looks like an error
    f_owner_ex owner{};
    long r = get_owner(fd, &owner);
    return failed(r) ? int_with_errno(r) : owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
  }
  return int_with_errno(control_with_ids(fd, command, argument));
}

}  // namespace

long control_with_ids(int fd, int command, long argument) {
  switch (command) {
    case F_SETOWN: return call_with_ids(kSetOwner, __NR_fcntl, fd, command, argument);
    case F_GETOWN: return owner_number(fd);
    case F_SETOWN_EX: return set_owner(fd, reinterpret_cast<f_owner_ex*>(argument));
    case F_GETOWN_EX: return get_owner(fd, reinterpret_cast<f_owner_ex*>(argument));
    case F_GETLK:
    case F_OFD_GETLK: return get_lock(fd, command, reinterpret_cast<struct flock*>(argument));
    default: return sys(__NR_fcntl, fd, command, argument);
  }
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int fcntl(int fd, int command, ...) {
  __builtin_va_list args;
  __builtin_va_start(args, command);
  long argument = __builtin_va_arg(args, long);
  __builtin_va_end(args);
  return control(original_fcntl, fd, command, argument);
}
MIG_EXPORT int fcntl64(int fd, int command, ...) {
  __builtin_va_list args;
  __builtin_va_start(args, command);
  long argument = __builtin_va_arg(args, long);
  __builtin_va_end(args);
  return original_fcntl64.get() ? control(original_fcntl64, fd, command, argument)
                                : control(original_fcntl, fd, command, argument);
}
