// The system calls that a signal can end, and what entering them again takes: one table (signal(7), and each call's
// source in the kernel).
#pragma once
#include <asm/unistd.h>
#include <stdint.h>

namespace mig {

/// How a call says how long it waits.
enum class Timeout : uint8_t {
  kNone,
  kMilliseconds,  ///< an int
  kRelative,      ///< a timespec that stays as it is
  kRemainder,     ///< a timespec; what remains is written to another one, if given
  kUpdated,       ///< a timespec that the kernel shortens by itself
  kUpdatedMicro,  ///< the same, a timeval
  kSleep,         ///< clock_nanosleep: kRemainder, or until a time of the clock in argument 0
  kFutex,         ///< by operation
  kUntil,         ///< an absolute time of the clock in another argument
};

/// What a program's own signal does to the call, by the kernel.
enum class Interrupted : uint8_t {
  kAlways,   ///< it returns EINTR whatever SA_RESTART says: never entered again by the kernel
  kRestart,  ///< it is entered again if the handler has SA_RESTART
};

/// A signal mask that is in force only during the call.
enum class OwnMask : uint8_t { kNone, kDirect, kIndirect };

struct CallInfo {
  int16_t number;
  Interrupted interrupted;
  Timeout timeout = Timeout::kNone;
  int8_t argument = -1;  ///< index of the timeout
  int8_t second = -1;    ///< kRemainder: of the remaining time; kUntil: of the clock
  OwnMask own_mask = OwnMask::kNone;
  int8_t mask = -1;
};

inline constexpr CallInfo kCalls[] = {
    {__NR_poll, Interrupted::kAlways, Timeout::kMilliseconds, 2},
    {__NR_ppoll, Interrupted::kAlways, Timeout::kUpdated, 2, -1, OwnMask::kDirect, 3},
    {__NR_select, Interrupted::kAlways, Timeout::kUpdatedMicro, 4},
    {__NR_pselect6, Interrupted::kAlways, Timeout::kUpdated, 4, -1, OwnMask::kIndirect, 5},
    {__NR_epoll_wait, Interrupted::kAlways, Timeout::kMilliseconds, 3},
    {__NR_epoll_pwait, Interrupted::kAlways, Timeout::kMilliseconds, 3, -1, OwnMask::kDirect, 4},
    {441 /* epoll_pwait2 */, Interrupted::kAlways, Timeout::kRelative, 3, -1, OwnMask::kDirect, 4},
    {__NR_nanosleep, Interrupted::kAlways, Timeout::kRemainder, 0, 1},
    {__NR_clock_nanosleep, Interrupted::kAlways, Timeout::kSleep, 2, 3},
    {__NR_pause, Interrupted::kAlways},
    {__NR_rt_sigsuspend, Interrupted::kAlways, Timeout::kNone, -1, -1, OwnMask::kDirect, 0},
    {__NR_rt_sigtimedwait, Interrupted::kAlways, Timeout::kRelative, 2},
    {__NR_futex, Interrupted::kRestart, Timeout::kFutex, 3},
    {449 /* futex_waitv */, Interrupted::kRestart, Timeout::kUntil, 3, 4},
    {455 /* futex_wait */, Interrupted::kRestart, Timeout::kUntil, 4, 5},
    {__NR_semop, Interrupted::kAlways},
    {__NR_semtimedop, Interrupted::kAlways, Timeout::kRelative, 3},
    {__NR_msgsnd, Interrupted::kAlways},
    {__NR_msgrcv, Interrupted::kAlways},
    {__NR_io_getevents, Interrupted::kAlways, Timeout::kRelative, 4},
    {333 /* io_pgetevents */, Interrupted::kAlways, Timeout::kRelative, 4, -1, OwnMask::kIndirect, 5},
    {426 /* io_uring_enter */, Interrupted::kAlways},
    {__NR_read, Interrupted::kRestart},
    {__NR_write, Interrupted::kRestart},
    {__NR_readv, Interrupted::kRestart},
    {__NR_writev, Interrupted::kRestart},
    {__NR_recvfrom, Interrupted::kRestart},
    {__NR_recvmsg, Interrupted::kRestart},
    {__NR_recvmmsg, Interrupted::kRestart},
    {__NR_sendto, Interrupted::kRestart},
    {__NR_sendmsg, Interrupted::kRestart},
    {__NR_sendmmsg, Interrupted::kRestart},
    {__NR_accept, Interrupted::kRestart},
    {__NR_accept4, Interrupted::kRestart},
    {__NR_connect, Interrupted::kRestart},
    {__NR_wait4, Interrupted::kRestart},
    {__NR_waitid, Interrupted::kRestart},
    {__NR_flock, Interrupted::kRestart},
    {__NR_ioctl, Interrupted::kRestart},
    {__NR_fcntl, Interrupted::kRestart},
    {__NR_open, Interrupted::kRestart},
    {__NR_openat, Interrupted::kRestart},
    {__NR_openat2, Interrupted::kRestart},
    {__NR_mq_timedreceive, Interrupted::kRestart},
    {__NR_mq_timedsend, Interrupted::kRestart},
    {__NR_splice, Interrupted::kRestart},
    {__NR_sendfile, Interrupted::kRestart},
    {__NR_getrandom, Interrupted::kRestart},
};

constexpr const CallInfo* call_info(int64_t number) {
  for (const CallInfo& c : kCalls)
    if (c.number == number) return &c;
  return nullptr;
}

}  // namespace mig
