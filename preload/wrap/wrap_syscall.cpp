// Wrapper: syscall(2) by number. The entry is in arch/x86_64/syscall_entry.S; what arrives here needs ids translated, our
// signal hidden, the clocks moved, or is not offered (io_uring: memory shared with the kernel that cannot be saved; libraries
// fall back when it is missing).
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/job/job.h"
#include "preload/state.h"
#include "preload/times.h"
#include "preload/wrap/child_waits.h"
#include "preload/wrap/children.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/exec.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/hidden_signal.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/listing.h"
#include "preload/wrap/owner.h"
#include "preload/wrap/proc_paths.h"
#include "preload/wrap/result.h"
#include "preload/wrap/send.h"
#include "preload/wrap/signalfd_reads.h"
#include "preload/wrap/wait_calls.h"

namespace mig {
namespace {

constexpr IdKind kNone = IdKind::kNone, kTask = IdKind::kTask, kGroup = IdKind::kGroup;
constexpr int kNumbers = 512;
constexpr int kFutexWaitv = 449, kFutexWait = 455, kLandlockRestrictSelf = 446;

struct IdNumber {
  int number;
  IdCall call;
};
/// Calls that only need their numbers translated.
constexpr IdNumber kIdNumbers[] = {
    {__NR_getpgid, {{kTask}, kGroup}},        {__NR_getpgrp, {{}, kGroup}},         {__NR_getsid, {{kTask}, IdKind::kSession}},
    {__NR_set_tid_address, {{}, kTask}},      {__NR_sched_setparam, {{kTask}}},     {__NR_sched_getparam, {{kTask}}},
    {__NR_sched_setscheduler, {{kTask}}},     {__NR_sched_getscheduler, {{kTask}}}, {__NR_sched_rr_get_interval, {{kTask}}},
    {__NR_sched_setaffinity, {{kTask}}},      {__NR_sched_getaffinity, {{kTask}}},  {__NR_sched_setattr, {{kTask}}},
    {__NR_sched_getattr, {{kTask}}},          {__NR_prlimit64, {{kTask}}},          {__NR_process_vm_readv, {{kTask}}},
    {__NR_process_vm_writev, {{kTask}}},      {__NR_kcmp, {{kTask, kTask}}},        {__NR_pidfd_open, {{kTask}}},
    {__NR_get_robust_list, {{kTask}}},        {__NR_move_pages, {{kTask}}},         {__NR_migrate_pages, {{kTask}}},
    {__NR_perf_event_open, {{kNone, kTask}}}, {__NR_ptrace, {{kNone, kTask}}},      {__NR_clock_getres, {{IdKind::kClock}}},
};
/// Calls with a case of their own below; clone and vfork are looked at by the entry.
constexpr int kOtherNumbers[] = {
    __NR_getpid,
    __NR_gettid,
    __NR_getppid,
    __NR_setpgid,
    __NR_setsid,
    __NR_kill,
    __NR_tkill,
    __NR_tgkill,
    __NR_rt_sigqueueinfo,
    __NR_rt_tgsigqueueinfo,
    __NR_pidfd_send_signal,
    __NR_getpriority,
    __NR_setpriority,
    __NR_ioprio_get,
    __NR_ioprio_set,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigsuspend,
    __NR_rt_sigtimedwait,
    __NR_signalfd,
    __NR_signalfd4,
    __NR_ppoll,
    __NR_epoll_pwait,
    __NR_epoll_pwait2,
    __NR_pselect6,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_clock_gettime,
    __NR_times,
    __NR_getrusage,
    __NR_execve,
    __NR_execveat,
    __NR_fork,
    __NR_vfork,
    __NR_clone,
    __NR_clone3,
    __NR_open,
    __NR_openat,
    __NR_readlink,
    __NR_readlinkat,
    __NR_stat,
    __NR_lstat,
    __NR_newfstatat,
    __NR_getdents64,
    __NR_fcntl,
    __NR_futex,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_poll,
    __NR_epoll_wait,
    __NR_semtimedop,
    __NR_io_getevents,
    kFutexWaitv,
    kFutexWait,
    __NR_timerfd_settime,
    __NR_sigaltstack,
    __NR_wait4,
    __NR_waitid,
    __NR_ioctl,
    __NR_getsockopt,
    __NR_sendmsg,
    __NR_sendmmsg,
    __NR_recvmsg,
    __NR_recvmmsg,
    __NR_shmctl,
    __NR_msgctl,
    __NR_semctl,
    __NR_timer_create,
    __NR_capget,
    __NR_capset,
    kLandlockRestrictSelf,
    __NR_prctl,
    __NR_seccomp,
};

struct Numbers {
  uint8_t special[kNumbers] = {};
};
constexpr Numbers numbers() {
  Numbers n;
  for (int i = 0; i < static_cast<int>(sizeof kIdNumbers / sizeof *kIdNumbers); ++i)
    n.special[kIdNumbers[i].number] = static_cast<uint8_t>(i + 2);
  for (int number : kOtherNumbers) n.special[number] = 1;
  return n;
}

struct KernelAction {
  InfoHandler handler;
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

long set_action(long signal, const KernelAction* now, KernelAction* old, long size) {
  if (size == 8 && signal == state.signal && signal > 0) {
    struct sigaction libc_now {
    }, libc_old{};
    if (now)
      libc_now.sa_sigaction = now->handler, libc_now.sa_flags = static_cast<int>(now->flags),
      mask_word(&libc_now.sa_mask) = now->mask;
    change_hidden_action(now ? &libc_now : nullptr, &libc_old);
    if (old) *old = {libc_old.sa_sigaction, static_cast<unsigned long>(libc_old.sa_flags), nullptr, mask_word(&libc_old.sa_mask)};
    return 0;
  }
  KernelAction copy;
  InfoHandler own = own_handler(static_cast<int>(signal));
  if (size == 8 && now && ((now->mask & hidden_bit) || ids_moved())) {
    copy = *now;
    copy.mask &= ~hidden_bit;
    if (ids_moved()) put_in_front(static_cast<int>(signal), copy.handler, copy.flags);
    now = &copy;
  }
  long r = sys(__NR_rt_sigaction, signal, now, old, size);
  if (r == 0 && old) take_from_front(old->handler, own);
  return r;
}

/// A call one of whose arguments is the address of an 8-byte mask.
long with_mask(long number, int index, long a, long b, long c, long d, long e, long f) {
  long arguments[6] = {a, b, c, d, e, f};
  uint64_t visible;
  if (auto mask = reinterpret_cast<const uint64_t*>(arguments[index]); mask && (*mask & hidden_bit)) {
    visible = *mask & ~hidden_bit;
    arguments[index] = reinterpret_cast<long>(&visible);
  }
  return sys6(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

struct MaskArgument {
  const uint64_t* mask;
  size_t size;
};
long with_mask_argument(long a, long b, long c, long d, long e, const MaskArgument* f) {
  if (!f || !f->mask || !(*f->mask & hidden_bit)) return sys(__NR_pselect6, a, b, c, d, e, f);
  uint64_t visible = *f->mask & ~hidden_bit;
  MaskArgument argument{&visible, f->size};
  return sys(__NR_pselect6, a, b, c, d, e, &argument);
}

long restrict_self(long ruleset, long flags) {
  long r = sys(kLandlockRestrictSelf, ruleset, flags);
  if (r == 0) note_landlock();
  return r;
}

IdCall on_whose(long which, long process, long group) {
  return {{kNone, which == process ? kTask : which == group ? kGroup : kNone}};
}

long signal_task(long tid, long signal) {
  long r = send_to_own_thread(static_cast<int32_t>(tid), static_cast<int>(signal));
  return r == -ESRCH ? call_with_ids({{kTask}}, __NR_tkill, tid, signal) : r;
}

long sigtimedwait_by_number(long mask, siginfo_t* info, long timeout, long size) {
  long r = with_mask(__NR_rt_sigtimedwait, 0, mask, sys_word(info), timeout, size, 0, 0);
  if (r > 0 && info && ids_moved()) translate_sender(info);
  return with_errno(r);
}

long create_timer(long clock, const sigevent* event, long timer) {
  sigevent real;
  if (event && event->sigev_notify == SIGEV_THREAD_ID && ids_moved()) {
    real = *event;
    real._sigev_un._tid = real_id(real._sigev_un._tid);
    event = &real;
  }
  return call_with_ids({{IdKind::kClock}}, __NR_timer_create, clock, sys_word(event), timer);
}

long stat_by_number(long directory, long path, long buffer, long flags) {
  auto call = [&](int from, const char* real) { return sys(__NR_newfstatat, from, real, buffer, flags); };
  return with_errno(with_path(static_cast<int>(directory), reinterpret_cast<const char*>(path), call));
}

long fork_by(long number, long a, long b, long c, long d, long e) {
  return born_by([&] {
    long child = fork_member([&] { return sys(number, a, b, c, d, e); });
    if (child == 0) begin_as_child();
    return child;
  });
}

}  // namespace

extern "C" {
__attribute__((visibility("hidden"), used)) extern constexpr Numbers mig_special_numbers = numbers();

__attribute__((visibility("hidden"), used)) long mig_special_syscall(long number, long a, long b, long c, long d, long e,
                                                                     long f) {
  if (int at = mig_special_numbers.special[number]; at >= 2)
    return with_errno(call_with_ids(kIdNumbers[at - 2].call, number, a, b, c, d, e, f));
  auto i32 = [](long v) { return static_cast<int32_t>(v); };
  auto words = [](long v) { return reinterpret_cast<char* const*>(v); };
  switch (number) {
    case __NR_getpid: return getpid();
    case __NR_gettid: return gettid();
    case __NR_getppid: return getppid();
    case __NR_setpgid: return setpgid(i32(a), i32(b));
    case __NR_setsid: return setsid();
    case __NR_kill: return with_errno(send_to_process(i32(a), i32(b)));
    case __NR_tkill: return with_errno(signal_task(a, b));
    case __NR_tgkill: return with_errno(send_to_thread(i32(a), i32(b), i32(c)));
    case __NR_rt_sigqueueinfo: return with_errno(queue_to_process(i32(a), i32(b), reinterpret_cast<const siginfo_t*>(c)));
    case __NR_rt_tgsigqueueinfo:
      return with_errno(queue_to_thread(i32(a), i32(b), i32(c), reinterpret_cast<const siginfo_t*>(d)));
    case __NR_pidfd_send_signal:
      return with_errno(queue_by_pidfd(i32(a), i32(b), reinterpret_cast<const siginfo_t*>(c), static_cast<unsigned>(d)));
    case __NR_capget:
    case __NR_capset: return with_errno(call_with_capabilities(number, reinterpret_cast<__user_cap_header_struct*>(a), b));
    case __NR_getpriority:
    case __NR_setpriority: return with_errno(call_with_ids(on_whose(a, PRIO_PROCESS, PRIO_PGRP), number, a, b, c));
    case __NR_ioprio_get:
    case __NR_ioprio_set: return with_errno(call_with_ids(on_whose(a, 1, 2), number, a, b, c));
    case __NR_rt_sigaction:
      return with_errno(set_action(a, reinterpret_cast<const KernelAction*>(b), reinterpret_cast<KernelAction*>(c), d));
    case __NR_rt_sigprocmask:
      if (d != 8) break;
      return with_errno(change_mask(i32(a), reinterpret_cast<const uint64_t*>(b), reinterpret_cast<uint64_t*>(c)));
    case __NR_rt_sigtimedwait: return sigtimedwait_by_number(a, reinterpret_cast<siginfo_t*>(b), c, d);
    case __NR_rt_sigsuspend: return with_errno(with_mask(number, 0, a, b, c, d, e, f));
    case __NR_signalfd:
    case __NR_signalfd4: note_signalfd(); return with_errno(with_mask(number, 1, a, b, c, d, e, f));
    case __NR_ppoll: return with_errno(with_mask(number, 3, a, b, c, d, e, f));
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2: return with_errno(with_mask(number, 4, a, b, c, d, e, f));
    case __NR_pselect6: return with_errno(with_mask_argument(a, b, c, d, e, reinterpret_cast<const MaskArgument*>(f)));
    case __NR_io_uring_setup:
    case __NR_io_uring_enter:
    case __NR_io_uring_register: return with_errno(-ENOSYS);
    case kLandlockRestrictSelf: return with_errno(restrict_self(a, b));
    case __NR_clock_gettime: return with_errno(get_clock(a, reinterpret_cast<timespec*>(b)));
    case __NR_times: return times(reinterpret_cast<tms*>(a));
    case __NR_getrusage: return getrusage(static_cast<__rusage_who>(a), reinterpret_cast<rusage*>(b));
    case __NR_open: return with_errno(open_in_proc(AT_FDCWD, reinterpret_cast<const char*>(a), i32(b), i32(c)));
    case __NR_openat: return with_errno(open_in_proc(i32(a), reinterpret_cast<const char*>(b), i32(c), i32(d)));
    case __NR_readlink: return readlink(reinterpret_cast<const char*>(a), reinterpret_cast<char*>(b), static_cast<size_t>(c));
    case __NR_readlinkat:
      return readlinkat(i32(a), reinterpret_cast<const char*>(b), reinterpret_cast<char*>(c), static_cast<size_t>(d));
    case __NR_stat: return stat_by_number(AT_FDCWD, a, b, 0);
    case __NR_lstat: return stat_by_number(AT_FDCWD, a, b, AT_SYMLINK_NOFOLLOW);
    case __NR_newfstatat: return stat_by_number(a, b, c, d);
    case __NR_getdents64: return with_errno(list_directory(i32(a), reinterpret_cast<void*>(b), static_cast<size_t>(c)));
    case __NR_fcntl: return with_errno(control_with_ids(i32(a), i32(b), c));
    case __NR_futex:
    case __NR_nanosleep:
    case __NR_clock_nanosleep:
    case __NR_poll:
    case __NR_epoll_wait:
    case __NR_semtimedop:
    case __NR_io_getevents:
    case kFutexWaitv:
    case kFutexWait: return with_errno(call_with_time(number, a, b, c, d, e, f));
    case __NR_timerfd_settime:
      return timerfd_settime(i32(a), i32(b), reinterpret_cast<const itimerspec*>(c), reinterpret_cast<itimerspec*>(d));
    case __NR_sigaltstack: return sigaltstack(reinterpret_cast<const stack_t*>(a), reinterpret_cast<stack_t*>(b));
    case __NR_wait4: return with_errno(wait_for_child(i32(a), reinterpret_cast<int*>(b), i32(c), reinterpret_cast<rusage*>(d)));
    case __NR_waitid:
      return with_errno(wait_for_child(i32(a), i32(b), reinterpret_cast<siginfo_t*>(c), i32(d), reinterpret_cast<rusage*>(e)));
    case __NR_ioctl: return ioctl(i32(a), static_cast<unsigned long>(b), c);
    case __NR_getsockopt: return getsockopt(i32(a), i32(b), i32(c), reinterpret_cast<void*>(d), reinterpret_cast<socklen_t*>(e));
    case __NR_sendmsg: return sendmsg(i32(a), reinterpret_cast<const msghdr*>(b), i32(c));
    case __NR_sendmmsg: return sendmmsg(i32(a), reinterpret_cast<mmsghdr*>(b), static_cast<unsigned>(c), i32(d));
    case __NR_recvmsg: return recvmsg(i32(a), reinterpret_cast<msghdr*>(b), i32(c));
    case __NR_recvmmsg:
      return recvmmsg(i32(a), reinterpret_cast<mmsghdr*>(b), static_cast<unsigned>(c), i32(d), reinterpret_cast<timespec*>(e));
    case __NR_shmctl: return shmctl(i32(a), i32(b), reinterpret_cast<shmid_ds*>(c));
    case __NR_msgctl: return msgctl(i32(a), i32(b), reinterpret_cast<msqid_ds*>(c));
    case __NR_semctl: return semctl(i32(a), i32(b), i32(c), d);
    case __NR_timer_create: return with_errno(create_timer(a, reinterpret_cast<const sigevent*>(b), c));
    case __NR_execve: return with_errno(execute(reinterpret_cast<const char*>(a), words(b), words(c)));
    case __NR_execveat: return with_errno(execute_at(i32(a), reinterpret_cast<const char*>(b), words(c), words(d), i32(e)));
    case __NR_prctl:
      if (a != PR_SET_SECCOMP) break;
      return with_errno(confine(number, a, b, c, d, e));
    case __NR_seccomp:
      if (a > SECCOMP_SET_MODE_FILTER) break;
      return with_errno(confine(number, a, b, c, d, e));
    case __NR_fork:
    case __NR_clone:
    case __NR_clone3: return with_errno(fork_by(number, a, b, c, d, e));
  }
  return with_errno(sys(number, a, b, c, d, e, f));
}
}

}  // namespace mig
