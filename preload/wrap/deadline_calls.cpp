// Wrappers of calls that wait until a time of the monotonic or boot clock.
//
// After a restart the program's clock is the kernel's plus a shift (preload/times.h); a deadline that the program has
// computed from its clock must lose the shift before the kernel sees it. The wrapper's copy is noted, so that a restart
// during the wait can change it (preload/wrap/waits.h).
//
// Found in libc's history: condition variables, semaphores and read-write locks hand the deadline on to futex(2) since
// glibc 2.30. pthread_mutex_clocklock and pthread_clockjoin_np computed a relative timeout from the clock themselves
// before 2.34, and that clock has the shift already.
//
// Which clock pthread_cond_timedwait means was said at pthread_cond_init. Where libc keeps that is found by making one
// condition variable of each kind and comparing: they differ in one bit, wherever that is.
#include <errno.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/mark.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/pi_mutexes.h"
#include "preload/wrap/waits.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_cond_timedwait);
MIG_ORIGINAL(timerfd_settime);
MIG_ORIGINAL(pthread_condattr_setclock);  // in libpthread before 2.34, with another version
Hook<int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*), "pthread_cond_clockwait"> original_cond_clockwait;
Hook<int (*)(pthread_mutex_t*, clockid_t, const timespec*), "pthread_mutex_clocklock"> original_mutex_clocklock;
Hook<int (*)(pthread_rwlock_t*, clockid_t, const timespec*), "pthread_rwlock_clockrdlock"> original_clockrdlock;
Hook<int (*)(pthread_rwlock_t*, clockid_t, const timespec*), "pthread_rwlock_clockwrlock"> original_clockwrlock;
Hook<int (*)(sem_t*, clockid_t, const timespec*), "sem_clockwait"> original_sem_clockwait;
Hook<int (*)(pthread_t, void**, clockid_t, const timespec*), "pthread_clockjoin_np"> original_clockjoin;

constexpr int kUnknown = -1, kUndecided = -2;
int monotonic_bit = kUndecided;  ///< in a pthread_cond_t

int find_monotonic_bit() {
  pthread_cond_t plain, monotonic;
  pthread_condattr_t attributes;
  memset(&plain, 0, sizeof plain);
  memset(&monotonic, 0, sizeof monotonic);
  pthread_condattr_init(&attributes);
  if (!original_pthread_condattr_setclock.get()) return kUnknown;
  original_pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&plain, nullptr);
  pthread_cond_init(&monotonic, &attributes);
  auto a = reinterpret_cast<const unsigned char*>(&plain), b = reinterpret_cast<const unsigned char*>(&monotonic);
  int found = kUnknown;
  for (size_t i = 0; i < sizeof plain; ++i) {
    unsigned differs = a[i] ^ b[i];
    if (!differs) continue;
    if (found != kUnknown || (differs & (differs - 1))) return kUnknown;
    found = static_cast<int>(i * 8) + __builtin_ctz(differs);
  }
  return found;
}

bool is_monotonic(const pthread_cond_t* condition) {
  int bit = __atomic_load_n(&monotonic_bit, __ATOMIC_RELAXED);
  if (bit == kUndecided) __atomic_store_n(&monotonic_bit, bit = find_monotonic_bit(), __ATOMIC_RELAXED);
  return bit >= 0 && (reinterpret_cast<const volatile unsigned char*>(condition)[bit / 8] >> (bit % 8) & 1);
}

/// The clock that libc hands on to the kernel for functions that once computed with it.
clockid_t handed_on(clockid_t clock) {
  static int newer = 0;
  if (!newer) {
    Scan version(gnu_get_libc_version());
    long major = version.number(), minor = version.skip('.').number();
    newer = major > 2 || minor >= 34 ? 1 : -1;
  }
  return newer > 0 ? clock : CLOCK_REALTIME;
}

/// The clock of a timer descriptor, from /proc/self/fdinfo.
long clock_of_descriptor(int fd) {
  char path[64];
  Text(path) << "/proc/self/fdinfo/" << fd;
  LineReader<256> lines(path);
  while (const char* line = lines.next())
    if (text_starts(line, "clockid:")) return Scan(line + 8).number();
  return CLOCK_REALTIME;
}

bool needs_shift(int flags, const itimerspec* time) {
  return (flags & TIMER_ABSTIME) && state.generation && time && (time->it_value.tv_sec || time->it_value.tv_nsec);
}

itimerspec shifted(const itimerspec& time, long clock) {
  return {time.it_interval, moved(time.it_value, -clock_shift(clock))};
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* time) {
  ScopedConditionWait wait(mutex);
  if (!is_monotonic(condition)) return original_pthread_cond_timedwait(condition, mutex, time);
  return original_pthread_cond_timedwait(condition, mutex, NotedDeadline(CLOCK_MONOTONIC, time).get());
}
MIG_EXPORT int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* time) {
  if (!original_cond_clockwait.get()) return ENOSYS;
  ScopedConditionWait wait(mutex);
  return original_cond_clockwait(condition, mutex, clock, NotedDeadline(clock, time).get());
}
MIG_EXPORT int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* time) noexcept {
  if (!original_mutex_clocklock.get()) return ENOSYS;
  ScopedMutexCall call(mutex);
  return original_mutex_clocklock(mutex, clock, NotedDeadline(handed_on(clock), time).get());
}
MIG_EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* time) noexcept {
  if (!original_clockrdlock.get()) return ENOSYS;
  return original_clockrdlock(lock, clock, NotedDeadline(clock, time).get());
}
MIG_EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* time) noexcept {
  if (!original_clockwrlock.get()) return ENOSYS;
  return original_clockwrlock(lock, clock, NotedDeadline(clock, time).get());
}
MIG_EXPORT int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* time) {
  if (!original_sem_clockwait.get()) {
    errno = ENOSYS;
    return -1;
  }
  return original_sem_clockwait(semaphore, clock, NotedDeadline(clock, time).get());
}
MIG_EXPORT int pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock, const timespec* time) {
  if (!original_clockjoin.get()) return ENOSYS;
  return original_clockjoin(thread, result, clock, NotedDeadline(handed_on(clock), time).get());
}

MIG_EXPORT int timerfd_settime(int fd, int flags, const itimerspec* time, itimerspec* old) noexcept {
  if (!needs_shift(flags, time)) return original_timerfd_settime(fd, flags, time, old);
  Mark mark;
  itimerspec kernel_time = shifted(*time, clock_of_descriptor(fd));
  return original_timerfd_settime(fd, flags, &kernel_time, old);
}
