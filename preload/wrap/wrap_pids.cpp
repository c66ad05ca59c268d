// Wrappers: who am I, who is my parent, which group and session am I in.
#include <asm/sockios.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/state.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

constexpr IdCall kGroupOfTask{{IdKind::kTask}, IdKind::kGroup}, kSessionOfTask{{IdKind::kTask}, IdKind::kSession},
    kSetGroup{{IdKind::kTask, IdKind::kGroup}}, kNewSession{{}, IdKind::kTask};

MIG_UNSPLIT long terminal_id(int fd, unsigned long request, IdKind kind) {
  int32_t id = 0;
  long r = sys(__NR_ioctl, fd, request, &id);
  return failed(r) ? r : to_virtual(kind, id);
}
MIG_UNSPLIT long set_terminal_group(int fd, int32_t group) {
  int32_t real = real_by(&IdSpace::group, group);
  return sys(__NR_ioctl, fd, TIOCSPGRP, &real);
}

/// A group is a negative number.
MIG_UNSPLIT long set_owner_of_signals(int fd, unsigned long request, int32_t owner) {
  auto real = static_cast<int32_t>(to_real(IdKind::kTarget, owner));
  return sys(__NR_ioctl, fd, request, &real);
}
MIG_UNSPLIT long owner_of_signals(int fd, unsigned long request, int32_t* owner) {
  long r = sys(__NR_ioctl, fd, request, owner);
  if (!failed(r)) *owner = *owner < 0 ? -virtual_by(&IdSpace::group, -*owner) : virtual_task(*owner);
  return r;
}

Hook<int (*)(int, unsigned long, void*), "ioctl"> original_ioctl;

int ioctl_with_ids(int fd, unsigned long request, int32_t* id) {
  switch (request) {
    case TIOCSPGRP: return int_with_errno(set_terminal_group(fd, *id));
    case TIOCGPGRP:
    case TIOCGSID: {
      long r = terminal_id(fd, request, request == TIOCGSID ? IdKind::kSession : IdKind::kGroup);
      if (!failed(r)) *id = static_cast<int32_t>(r), r = 0;
      return int_with_errno(r);
    }
    case FIOSETOWN:
    case SIOCSPGRP: return int_with_errno(set_owner_of_signals(fd, request, *id));
    case FIOGETOWN:
    case SIOCGPGRP: return int_with_errno(owner_of_signals(fd, request, id));
    default: return original_ioctl(fd, request, id);
  }
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT pid_t getpid() noexcept {
  if (int32_t pid = cached_pid; __builtin_expect(pid != 0, true)) return pid;
  return own_pid();
}
MIG_EXPORT pid_t __getpid() noexcept {
  return getpid();
}
MIG_EXPORT pid_t gettid() noexcept {
  if (int32_t tid = cached_tid; __builtin_expect(tid != 0, true)) return tid;
  return own_tid();
}
MIG_EXPORT pid_t getppid() noexcept {
  return own_parent();
}
MIG_EXPORT pid_t getpgid(pid_t pid) noexcept {
  return int_with_errno(call_with_ids(kGroupOfTask, __NR_getpgid, pid));
}
MIG_EXPORT pid_t __getpgid(pid_t pid) noexcept {
  return getpgid(pid);
}
MIG_EXPORT pid_t getpgrp() noexcept {
  return getpgid(0);
}
MIG_EXPORT pid_t getsid(pid_t pid) noexcept {
  return int_with_errno(call_with_ids(kSessionOfTask, __NR_getsid, pid));
}
MIG_EXPORT int setpgid(pid_t pid, pid_t group) noexcept {
  return int_with_errno(call_with_ids(kSetGroup, __NR_setpgid, pid, group));
}
MIG_EXPORT int setpgrp() noexcept {
  return setpgid(0, 0);
}
MIG_EXPORT pid_t setsid() noexcept {
  return int_with_errno(call_with_ids(kNewSession, __NR_setsid));
}
MIG_EXPORT pid_t tcgetpgrp(int fd) noexcept {
  return int_with_errno(terminal_id(fd, TIOCGPGRP, IdKind::kGroup));
}
MIG_EXPORT int tcsetpgrp(int fd, pid_t group) noexcept {
  return int_with_errno(set_terminal_group(fd, group));
}
MIG_EXPORT pid_t tcgetsid(int fd) noexcept {
  return int_with_errno(terminal_id(fd, TIOCGSID, IdKind::kSession));
}
MIG_EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
  __builtin_va_list args;
  __builtin_va_start(args, request);
  void* argument = __builtin_va_arg(args, void*);
  __builtin_va_end(args);
  return ioctl_with_ids(fd, request, static_cast<int32_t*>(argument));
}
