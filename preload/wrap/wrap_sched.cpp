// Wrappers: scheduling, priorities, limits and other calls on a process or thread named by its number.
// Both the plain names and those with 64 are ours: no renaming by the headers.
#undef _FILE_OFFSET_BITS
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

#include "preload/ids.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"
#include "preload/wrap/send.h"

struct sched_attr;

namespace mig {
namespace {

constexpr IdCall kOnTask{{IdKind::kTask}}, kOnClock{{IdKind::kClock}};
constexpr long kCpuClock = 2;  ///< CPUCLOCK_SCHED, of a process
Hook<long (*)(int, long, void*, void*), "ptrace"> original_ptrace;
Hook<int (*)(int), "pidfd_getpid"> original_pidfd_getpid;

int on_task(long number, pid_t task, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  return int_with_errno(call_with_ids(kOnTask, number, task, b, c, d, e, f));
}

template <class T>
long word(T* p) {
  return reinterpret_cast<long>(p);
}

IdCall on_whose(int which) {
  return {{IdKind::kNone, which == PRIO_PROCESS ? IdKind::kTask : which == PRIO_PGRP ? IdKind::kGroup : IdKind::kNone}};
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int sched_setparam(pid_t task, const sched_param* p) noexcept {
  return on_task(__NR_sched_setparam, task, word(p));
}
MIG_EXPORT int sched_getparam(pid_t task, sched_param* p) noexcept {
  return on_task(__NR_sched_getparam, task, word(p));
}
MIG_EXPORT int sched_setscheduler(pid_t task, int policy, const sched_param* p) noexcept {
  return on_task(__NR_sched_setscheduler, task, policy, word(p));
}
MIG_EXPORT int sched_getscheduler(pid_t task) noexcept {
  return on_task(__NR_sched_getscheduler, task);
}
MIG_EXPORT int sched_rr_get_interval(pid_t task, timespec* t) noexcept {
  return on_task(__NR_sched_rr_get_interval, task, word(t));
}
MIG_EXPORT int sched_setaffinity(pid_t task, size_t size, const cpu_set_t* cpus) noexcept {
  return on_task(__NR_sched_setaffinity, task, static_cast<long>(size), word(cpus));
}
MIG_EXPORT int sched_getaffinity(pid_t task, size_t size, cpu_set_t* cpus) noexcept {
  int n = on_task(__NR_sched_getaffinity, task, static_cast<long>(size), word(cpus));
  if (n < 0) return -1;
  memset(reinterpret_cast<char*>(cpus) + n, 0, size - static_cast<size_t>(n));
  return 0;
}

MIG_EXPORT int getpriority(__priority_which_t which, id_t who) noexcept {
  long r = call_with_ids(on_whose(which), __NR_getpriority, which, who);
  return failed(r) ? int_with_errno(r) : static_cast<int>(20 - r);
}
MIG_EXPORT int setpriority(__priority_which_t which, id_t who, int priority) noexcept {
  return int_with_errno(call_with_ids(on_whose(which), __NR_setpriority, which, who, priority));
}

MIG_EXPORT int prlimit(pid_t pid, __rlimit_resource resource, const rlimit* set, rlimit* old) noexcept {
  return on_task(__NR_prlimit64, pid, resource, word(set), word(old));
}
MIG_EXPORT int prlimit64(pid_t pid, __rlimit_resource resource, const rlimit64* set, rlimit64* old) noexcept {
  return on_task(__NR_prlimit64, pid, resource, word(set), word(old));
}

MIG_EXPORT ssize_t process_vm_readv(pid_t pid, const iovec* local, unsigned long locals, const iovec* remote,
                                    unsigned long remotes, unsigned long flags) noexcept {
  return with_errno(call_with_ids(kOnTask, __NR_process_vm_readv, pid, word(local), static_cast<long>(locals), word(remote),
                                  static_cast<long>(remotes), static_cast<long>(flags)));
}
MIG_EXPORT ssize_t process_vm_writev(pid_t pid, const iovec* local, unsigned long locals, const iovec* remote,
                                     unsigned long remotes, unsigned long flags) noexcept {
  return with_errno(call_with_ids(kOnTask, __NR_process_vm_writev, pid, word(local), static_cast<long>(locals), word(remote),
                                  static_cast<long>(remotes), static_cast<long>(flags)));
}
MIG_EXPORT int capget(__user_cap_header_struct* header, __user_cap_data_struct* data) noexcept {
  return int_with_errno(call_with_capabilities(__NR_capget, header, word(data)));
}
MIG_EXPORT int capset(__user_cap_header_struct* header, const __user_cap_data_struct* data) noexcept {
  return int_with_errno(call_with_capabilities(__NR_capset, header, word(data)));
}
MIG_EXPORT int pidfd_open(pid_t pid, unsigned flags) noexcept {
  return on_task(__NR_pidfd_open, pid, flags);
}

MIG_EXPORT int pidfd_send_signal(int pidfd, int signal, siginfo_t* info, unsigned flags) noexcept {
  return int_with_errno(queue_by_pidfd(pidfd, signal, info, flags));
}
MIG_EXPORT pid_t pidfd_getpid(int pidfd) noexcept {
  return original_pidfd_getpid.get() ? virtual_id(original_pidfd_getpid(pidfd)) : int_with_errno(-ENOSYS);
}
MIG_EXPORT int sched_setattr(pid_t task, sched_attr* attributes, unsigned flags) noexcept {
  return on_task(__NR_sched_setattr, task, word(attributes), flags);
}
MIG_EXPORT int sched_getattr(pid_t task, sched_attr* attributes, unsigned size, unsigned flags) noexcept {
  return on_task(__NR_sched_getattr, task, word(attributes), size, flags);
}
MIG_EXPORT long ptrace(int request, ...) noexcept {
  __builtin_va_list args;
  __builtin_va_start(args, request);
  auto pid = __builtin_va_arg(args, pid_t);
  auto address = __builtin_va_arg(args, void*), data = __builtin_va_arg(args, void*);
  __builtin_va_end(args);
  return original_ptrace(request, real_id(pid), address, data);
}

/// The clock's number has the process's virtual number in it.
MIG_EXPORT int clock_getcpuclockid(pid_t pid, clockid_t* clock) noexcept {
  long number = clock_with(kCpuClock, pid), r = call_with_ids(kOnClock, __NR_clock_getres, number);
  if (!failed(r)) *clock = static_cast<clockid_t>(number);
  return r == -EINVAL ? ESRCH : as_error(r);
}
