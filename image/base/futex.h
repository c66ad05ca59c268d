// futex(2): waiting with a limit, waking all.
#pragma once
#include <linux/futex.h>
#include <stdint.h>

#include "image/base/clock.h"

namespace mig {

/// Waits while `*word == value`, at most `limit` nanoseconds. `shared`: the word is in a file mapping.
inline long futex_wait(const uint32_t* word, uint32_t value, int64_t limit, bool shared = false) {
  timespec t = to_timespec(limit);
  return sys(__NR_futex, word, shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, &t);
}
inline void futex_wake(const uint32_t* word, bool shared = false) {
  sys(__NR_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 0x7fffffff);
}

inline uint32_t load(const uint32_t* word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
inline void store(uint32_t* word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

}  // namespace mig
