// A signal frame (struct rt_sigframe, asm/sigframe.h) begins with the address of the restorer, the code that calls
// rt_sigreturn; ucontext and siginfo follow, and the extended state behind them. There is no list of frames: they
// are found by looking, from the stack pointer upwards, for a word that points to such code and is followed by a
// ucontext that can be nothing else (selectors, zero link, pointer to an area just behind with both magic numbers). From a
// frame found, the search goes on at the stack pointer it was interrupted at, which may be on another stack (sigaltstack).
//
// A frame on a stack that the thread has switched away from by itself (coroutines, inside a signal handler) is not found.
#include "restore/arch/x86_64/frames.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "image/base/arch/x86_64/xstate.h"
#include "restore/mappings.h"

namespace mig {
namespace {

constexpr uint64_t kFarthest = 8 << 20;  ///< between two frames: a whole stack of the usual size
constexpr int kMostFrames = 10000;
constexpr uint64_t kUserCode = 0x33;
constexpr uint64_t kKnownFlags = 7;

bool is_restorer(uint64_t code) {
  static const unsigned char kForms[][9] = {{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, {0xb8, 15, 0, 0, 0, 0x0f, 0x05}};
  static const size_t kSizes[] = {9, 7};
  uint64_t end = mapped_until(code, PROT_READ | PROT_EXEC);
  for (int i = 0; i < 2; ++i)
    if (end >= code + kSizes[i] && !__builtin_memcmp(reinterpret_cast<void*>(code), kForms[i], kSizes[i])) return true;
  return false;
}

uint64_t area_of(const ucontext_t& context) {
  return reinterpret_cast<uint64_t>(context.uc_mcontext.fpregs);
}

uint64_t stack_pointer_of(const ucontext_t& context) {
  return static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
}

bool is_context(uint64_t at, uint64_t end, bool noted) {
  constexpr uint64_t kKernelSize = offsetof(ucontext_t, uc_sigmask) + 8, kNear = 2048;
  if (at + kKernelSize > end) return false;
  auto& c = *reinterpret_cast<const ucontext_t*>(at);
  auto selectors = static_cast<uint64_t>(c.uc_mcontext.gregs[REG_CSGSFS]);
  uint64_t area = area_of(c);
  if ((c.uc_flags & ~kKnownFlags) || c.uc_link || (selectors & 0xffff) != kUserCode) return false;
  if (area % 16 || area < at + kKernelSize || area > at + kNear || area + kXstateLegacySize > end) return false;
  if (!mapped_until(stack_pointer_of(c), PROT_READ | PROT_WRITE)) return false;
  XstateArea extended(reinterpret_cast<void*>(area));
  return !noted || (area + extended.note().size < end && extended.extended());
}

/// The next frame's ucontext at or above `at`; 0: none.
uint64_t next_frame(uint64_t at, bool noted) {
  at = (at + 7) & ~7UL;
  uint64_t end = mapped_until(at, PROT_READ | PROT_WRITE);
  uint64_t last = end - at > kFarthest ? at + kFarthest : end;
  for (; end && at + 8 < last; at += 8) {
    uint64_t word = *reinterpret_cast<const uint64_t*>(at);
    if (word >= 4096 && word >> 47 == 0 && is_context(at + 8, end, noted) && is_restorer(word)) return at + 8;
  }
  return 0;
}

}  // namespace

bool each_frame(uint64_t frame, bool noted, bool (*visit)(void* area, void* argument), void* argument) {
  for (int i = 0; frame && i < kMostFrames; ++i) {
    auto& context = *reinterpret_cast<const ucontext_t*>(frame);
    uint64_t area = area_of(context);
    if (area && !visit(reinterpret_cast<void*>(area), argument)) return false;
    frame = next_frame(stack_pointer_of(context), noted);
  }
  return true;
}

}  // namespace mig
