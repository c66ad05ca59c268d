// Robust mutexes that processes share (PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED), and whose holder is killed.
#pragma once
#include <pthread.h>

namespace mig {

/// Of glibc's __kind. Those with priority inheritance hold the real tid, and the kernel looks after them.
inline bool is_shared_robust(const pthread_mutex_t* mutex) {
  constexpr int kRobust = 16, kPi = 32, kShared = 128;
  return __builtin_expect((mutex->__data.__kind & (kRobust | kPi | kShared)) == (kRobust | kShared), 0);
}

using MutexCall = int (*)(pthread_mutex_t*);
using TimedMutexCall = int (*)(pthread_mutex_t*, const timespec*);

/// libc's calls, but a holder that is dead has died as the kernel would have told it.
int try_lock_robust(pthread_mutex_t* mutex, MutexCall try_lock);
int lock_robust(pthread_mutex_t* mutex, MutexCall try_lock, TimedMutexCall timed_lock);
int timed_lock_robust(pthread_mutex_t* mutex, const timespec* until, MutexCall try_lock, TimedMutexCall timed_lock);

}  // namespace mig
