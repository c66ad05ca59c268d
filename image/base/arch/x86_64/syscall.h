// The system call instruction, for code that must not call libc.
//
// `sys()` is the only way in which the preloaded library's checkpoint path and the restart stub reach the
// kernel: no errno, no cancellation point, no lock. Results follow the kernel's convention: a value, or a
// negative error number (-4095..-1). Source: syscall(2), "Architecture calling conventions".
#pragma once
#include <asm/unistd.h>

namespace mig {

template <class A>
inline __attribute__((always_inline)) long sys_word(A a) {
  if constexpr (__is_enum(A)) return static_cast<long>(a);
  else return (long)a;
}
inline __attribute__((always_inline)) long sys_word(decltype(nullptr)) {
  return 0;
}

inline __attribute__((always_inline)) long sys6(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

/// Calls the kernel. `args` are up to six integers or pointers.
template <class... Args>
inline __attribute__((always_inline)) long sys(long number, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  long w[6 + 1] = {sys_word(args)...};
  return sys6(number, w[0], w[1], w[2], w[3], w[4], w[5]);
}

inline __attribute__((always_inline)) bool failed(long result) {
  return result < 0 && result > -4096;
}

}  // namespace mig
