// Alternate signal stacks of a program that are too small for our signal as well.
//
// Our handler leaves the stack it is put on at once (arch/x86_64/switch.S), but the kernel's frame, with the extended state
// of the CPU, must fit: 3.5 KiB with AVX-512, 11 KiB with AMX (getauxval(AT_MINSIGSTKSZ)). It has SA_ONSTACK, because some
// programs run on stacks of a few KiB and rely on that (Go).
//
// Two frames, the program's and ours on top of it, overflow a stack of the usual 8 KiB where the program's handler uses
// some of it. So once a program has set up such a stack, its handlers with SA_ONSTACK run with our signals blocked, which
// the kernel does by their mask; the wrapper of sigaction does the same from then on. If not even one frame fits, our
// handler does without SA_ONSTACK.
#include <signal.h>
#include <sys/auxv.h>

#include "preload/hook.h"
#include "preload/signals.h"
#include "preload/state.h"
#include "preload/stop.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace mig {
namespace {

MIG_ORIGINAL(sigaltstack);

constexpr size_t kUsualFrame = 4 << 10;
constexpr size_t kOwnUse = 1 << 10;   ///< of the stack that the kernel chose, until ours is reached
constexpr size_t kSmall = 16 << 10;

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

size_t frame_size() {
  size_t size = getauxval(AT_MINSIGSTKSZ);
  return size ? size : kUsualFrame;
}

/// The handlers that are there already.
void block_in_handlers() {
  for (int signal = 1; signal <= 64; ++signal) {
    KernelAction a{};
    if (signal == state.signal || signal == kStopSignal || sys(__NR_rt_sigaction, signal, nullptr, &a, 8) < 0) continue;
    if (a.handler <= 1 || !(a.flags & SA_ONSTACK) || (a.mask & own_signals()) == own_signals()) continue;
    a.mask |= own_signals();
    sys(__NR_rt_sigaction, signal, &a, nullptr, 8);
  }
}

void look_at(size_t size) {
  size_t frame = frame_size();
  size_t small = 2 * frame + 2 * kOwnUse > kSmall ? 2 * frame + 2 * kOwnUse : kSmall;
  if (size >= small) return;
  if (size < frame + kOwnUse && !state.tiny_alternate_stack) {
    state.tiny_alternate_stack = true;
    install_handler();
  }
  if (state.small_alternate_stack) return;
  state.small_alternate_stack = true;
  block_in_handlers();
}

}  // namespace

uint64_t own_signals() {
  return uint64_t{1} << (state.signal - 1) | uint64_t{1} << (kStopSignal - 1);
}

bool small_alternate_stacks() {
  return state.small_alternate_stack;
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int sigaltstack(const stack_t* stack, stack_t* old) noexcept {
  if (stack && !(stack->ss_flags & SS_DISABLE) && state.active) look_at(stack->ss_size);
  return original_sigaltstack(stack, old);
}
