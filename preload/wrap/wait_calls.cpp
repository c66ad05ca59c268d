// Wrappers of calls that wait for a time: they note when the wait begins, or make the kernel write down what remains,
// so that a checkpoint can let the call go on for just that long (preload/stop/reentry.cpp).
//
// The ones that sleep pass a place for the remaining time even if the program gives none: that costs nothing. The others
// read the clock once, if a timeout is given; without one they note only which call it is, for a libc whose code does
// not show it (glibc 2.41 enters every cancellable call from one place).
//
// Those that set a signal mask for their duration must not block the library's own signal with it.
#include "preload/wrap/wait_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/stop/call_table.h"
#include "preload/wrap/child_waits.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/hidden_signal.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"
#include "preload/wrap/waits.h"

namespace mig {
namespace {

constexpr int kEpollPwait2 = 441;

MIG_ORIGINAL(poll);
MIG_ORIGINAL(ppoll);
MIG_ORIGINAL(pselect);
MIG_ORIGINAL(epoll_wait);
MIG_ORIGINAL(epoll_pwait);
MIG_ORIGINAL(nanosleep);
MIG_ORIGINAL(clock_nanosleep);
MIG_ORIGINAL(pause);
MIG_ORIGINAL(semtimedop);
Hook<int (*)(pollfd*, nfds_t, int, size_t), "__poll_chk"> original_poll_chk;
Hook<int (*)(pollfd*, nfds_t, const timespec*, const sigset_t*, size_t), "__ppoll_chk"> original_ppoll_chk;
Hook<int (*)(int, epoll_event*, int, const timespec*, const sigset_t*), "epoll_pwait2"> original_epoll_pwait2;
Hook<int (*)(void*, long, long, void*, timespec*), "io_getevents"> original_io_getevents;

/// glibc shows what pthread_kill and tgkill have sent as sent by kill.
void tell_sender(void* memory, long) {
  auto info = static_cast<siginfo_t*>(memory);
  if (ids_moved()) translate_sender(info);
  if (info->si_code == SI_TKILL) info->si_code = SI_USER;
}

int not_there() {
  errno = ENOSYS;
  return -1;
}

struct Arguments {
  long at[6];
};

long call(long number, const Arguments& a) {
  return sys6(number, a.at[0], a.at[1], a.at[2], a.at[3], a.at[4], a.at[5]);
}

const timespec* time_at(const Arguments& a, int index) {
  return reinterpret_cast<const timespec*>(a.at[index]);
}

long call_until(long number, Arguments a, int index, long clock) {
  NotedWait note(number, false);
  NotedDeadline deadline(clock, time_at(a, index));
  a.at[index] = reinterpret_cast<long>(deadline.get());
  return call(number, a);
}

long call_with_rest(long number, Arguments a, int index) {
  NotedWait note(number, false);
  timespec rest;
  if (!a.at[index]) a.at[index] = reinterpret_cast<long>(&rest);
  return call(number, a);
}

long call_noted(long number, const Arguments& a, bool timed) {
  NotedWait note(number, timed);
  return call(number, a);
}

long call_futex(const Arguments& a) {
  auto operation = static_cast<int>(a.at[1]);
  long clock = operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT: return call_noted(__NR_futex, a, a.at[3]);
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case 13 /* FUTEX_LOCK_PI2 */: return call_until(__NR_futex, a, 3, clock);
    default: return call_noted(__NR_futex, a, false);
  }
}

}  // namespace

long call_with_time(long number, long a, long b, long c, long d, long e, long f) {
  Arguments arguments{{a, b, c, d, e, f}};
  const CallInfo* info = call_info(number);
  switch (info ? info->timeout : Timeout::kNone) {
    case Timeout::kMilliseconds: return call_noted(number, arguments, static_cast<int>(arguments.at[info->argument]) > 0);
    case Timeout::kRelative: return call_noted(number, arguments, arguments.at[info->argument]);
    case Timeout::kRemainder: return call_with_rest(number, arguments, info->second);
    case Timeout::kSleep:
      if (b & TIMER_ABSTIME) return call_until(number, arguments, info->argument, a);
      return call_with_rest(number, arguments, info->second);
    case Timeout::kFutex: return call_futex(arguments);
    case Timeout::kUntil: return call_until(number, arguments, info->argument, arguments.at[info->second]);
    default: return info ? call_noted(number, arguments, false) : call(number, arguments);
  }
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int poll(pollfd* fds, nfds_t count, int timeout) {
  if (!timeout) return original_poll(fds, count, timeout);
  NotedWait note(__NR_poll, timeout > 0);
  return original_poll(fds, count, timeout);
}
MIG_EXPORT int __poll_chk(pollfd* fds, nfds_t count, int timeout, size_t size) {
  NotedWait note(__NR_poll, timeout > 0);
  return original_poll_chk(fds, count, timeout, size);
}
MIG_EXPORT int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  NotedWait note(__NR_ppoll, false);
  return original_ppoll(fds, count, timeout, VisibleMask(mask).get());
}
MIG_EXPORT int __ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask, size_t size) {
  NotedWait note(__NR_ppoll, false);
  return original_ppoll_chk(fds, count, timeout, VisibleMask(mask).get(), size);
}
MIG_EXPORT int pselect(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout, const sigset_t* mask) {
  NotedWait note(__NR_pselect6, false);
  return original_pselect(count, in, out, error, timeout, VisibleMask(mask).get());
}

MIG_EXPORT int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  if (!timeout) return original_epoll_wait(fd, events, most, timeout);
  NotedWait note(__NR_epoll_wait, timeout > 0);
  return original_epoll_wait(fd, events, most, timeout);
}
MIG_EXPORT int epoll_pwait(int fd, epoll_event* events, int most, int timeout, const sigset_t* mask) {
  NotedWait note(__NR_epoll_pwait, timeout > 0);
  return original_epoll_pwait(fd, events, most, timeout, VisibleMask(mask).get());
}
MIG_EXPORT int epoll_pwait2(int fd, epoll_event* events, int most, const timespec* timeout, const sigset_t* mask) {
  if (!original_epoll_pwait2.get()) return not_there();
  NotedWait note(kEpollPwait2, timeout != nullptr);
  return original_epoll_pwait2(fd, events, most, timeout, VisibleMask(mask).get());
}

MIG_EXPORT int nanosleep(const timespec* span, timespec* remaining) {
  timespec rest;
  NotedWait note(__NR_clock_nanosleep, false);
  return original_nanosleep(span, remaining ? remaining : &rest);
}
MIG_EXPORT int usleep(useconds_t microseconds) {
  timespec span = {microseconds / 1'000'000, long{microseconds % 1'000'000} * 1000};
  return nanosleep(&span, nullptr);
}
MIG_EXPORT int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* remaining) {
  NotedWait note(__NR_clock_nanosleep, false);
  if (flags & TIMER_ABSTIME) return original_clock_nanosleep(clock, flags, NotedDeadline(clock, time).get(), remaining);
  timespec rest;
  return original_clock_nanosleep(clock, flags, time, remaining ? remaining : &rest);
}
/// C11: -1 when a signal has come, another negative number for any other error.
MIG_EXPORT int thrd_sleep(const timespec* span, timespec* remaining) {
  int error = clock_nanosleep(CLOCK_REALTIME, 0, span, remaining);
  return !error ? 0 : error == EINTR ? -1 : -2;
}

MIG_EXPORT int pause() {
  NotedWait note(__NR_pause, false);
  return original_pause();
}
MIG_EXPORT int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  NotedWait note(__NR_rt_sigtimedwait, timeout != nullptr);
  siginfo_t own;
  return int_with_errno(take_signals(__NR_rt_sigtimedwait, sys_word(VisibleMask(set).get()), info ? info : &own,
                                     sys_word(timeout), 8, tell_sender));
}
MIG_EXPORT int semtimedop(int set, sembuf* operations, size_t count, const timespec* timeout) noexcept {
  NotedWait note(__NR_semtimedop, timeout != nullptr);
  return original_semtimedop(set, operations, count, timeout);
}
/// Of libaio.
MIG_EXPORT int io_getevents(void* context, long least, long most, void* events, timespec* timeout) {
  if (!original_io_getevents.get()) return -ENOSYS;
  NotedWait note(__NR_io_getevents, timeout != nullptr);
  return original_io_getevents(context, least, most, events, timeout);
}
