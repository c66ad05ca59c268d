// Time by system call, for code that must not call libc.
#pragma once
#include <stdint.h>
#include <time.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMillisecond = 1'000'000;

inline int64_t nanoseconds(const timespec& t) {
  return t.tv_sec * kSecond + t.tv_nsec;
}
inline timespec to_timespec(int64_t ns) {
  return {ns / kSecond, ns % kSecond};
}
inline int64_t clock_now(int clock) {
  timespec t{};
  sys(__NR_clock_gettime, clock, &t);
  return nanoseconds(t);
}

}  // namespace mig
