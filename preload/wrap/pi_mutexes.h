// Mutexes with priority inheritance (PTHREAD_PRIO_INHERIT).
#pragma once
#include <pthread.h>
#include <stdint.h>

namespace mig {

constexpr int kPiKind = 32;  ///< PTHREAD_MUTEX_PRIO_INHERIT_NP of glibc, in __kind

inline bool is_pi(const pthread_mutex_t* mutex) {
  return __builtin_expect(mutex->__data.__kind & kPiKind, 0);
}

/// A mutex has been entered in the registry.
void pi_mutex_made();

/// So has one that other processes may have and whose holder may be killed (preload/save/robust_mutexes.h): its calls are redirected too.
void shared_robust_made();

/// True where a thread with this program counter must not be stopped: it is in libc's code of mutexes and may have its
/// real tid in a register, about to be written into a mutex.
bool in_pi_code(uint64_t pc);

/// After a restart, while all threads wait: the new tids into the words of the mutexes.
void renew_pi_mutexes();

/// For the length of a call of libc that waits for a condition: the real tid stands in the thread's tid word if the mutex is
/// one with priority inheritance, also before the first restart, so that one in between changes it. Afterwards, and
/// when the thread is cancelled, it is the virtual one again.
class ScopedConditionWait {
 public:
  explicit ScopedConditionWait(pthread_mutex_t* mutex) : pi_(is_pi(mutex)) {
    if (pi_) begin(mutex);
  }
  ~ScopedConditionWait() {
    if (pi_) end();
  }
  ScopedConditionWait(const ScopedConditionWait&) = delete;
  ScopedConditionWait& operator=(const ScopedConditionWait&) = delete;

 private:
  /// struct _pthread_cleanup_buffer: needs no exceptions.
  struct Cleanup {
    void (*routine)(void*);
    void* argument;
    int type;
    Cleanup* outer;
  };
  void begin(pthread_mutex_t* mutex);
  void end();

  bool pi_;
  Cleanup cleanup_;
};

/// The same for a call that takes or gives back the mutex and cannot be cancelled.
class ScopedMutexCall {
 public:
  explicit ScopedMutexCall(pthread_mutex_t* mutex) : pi_(is_pi(mutex)) {
    if (pi_) begin(mutex);
  }
  ~ScopedMutexCall() {
    if (pi_) end();
  }
  ScopedMutexCall(const ScopedMutexCall&) = delete;
  ScopedMutexCall& operator=(const ScopedMutexCall&) = delete;

 private:
  void begin(pthread_mutex_t* mutex);
  void end();

  bool pi_;
};

}  // namespace mig
