// Functions that a checkpoint must not split: what they read (a number of today) must still be true when they use it.
//
// They stand in a text section of their own, and a thread that is stopped with its program counter inside it goes on and
// is stopped again a moment later. Unlike a Mark (preload/mark.h) this costs nothing, and a signal handler of the program
// that runs in between, even one that never returns, blocks no checkpoint. Everything they call must be inlined; they
// must not block.
#pragma once
#include <stdint.h>

#ifdef __clang__
#define MIG_NOCLONE
#else
#define MIG_NOCLONE , noclone
#endif
#define MIG_UNSPLIT __attribute__((section("mig_unsplit"), noinline, used MIG_NOCLONE))
#define MIG_INLINE inline __attribute__((always_inline))

// By the linker. The compiler forgets an attribute of names like these, so the assembler is told.
asm(".hidden __start_mig_unsplit, __stop_mig_unsplit");
extern "C" const char unsplit_begin[] asm("__start_mig_unsplit");
extern "C" const char unsplit_end[] asm("__stop_mig_unsplit");

namespace mig {

inline bool in_unsplit(uint64_t pc) {
  return pc >= reinterpret_cast<uint64_t>(unsplit_begin) && pc < reinterpret_cast<uint64_t>(unsplit_end);
}

}  // namespace mig
