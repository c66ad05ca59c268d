// Alternate signal stacks of a program that are too small for our signal as well.
//
// Our handler leaves the stack it is put on at once (arch/x86_64/switch.S), but the kernel's frame, with the extended state
// of the CPU, must fit: 3.5 KiB with AVX-512, 11 KiB with AMX (getauxval(AT_MINSIGSTKSZ)). It has SA_ONSTACK, because some
// programs run on stacks of a few KiB and rely on that (Go). A thread that runs on its ordinary stack has all of its
// alternate stack free. One that is in a handler of its own on a stack of the usual 8 KiB, or less, has not, and
// the kernel kills a program whose alternate stack overflows.
//
// So once a program has set up a small one, its handlers with SA_ONSTACK are entered through ours (preload/wrap/handlers.cpp). They start with
// our signals blocked, by their mask; the small stack was set up with SS_AUTODISARM, so that the kernel has
// forgotten it when the handler begins; then a larger one is set up for whatever comes on top, and our signals are let
// through. Returning from the handler puts all of it back (rt_sigreturn). sigaltstack tells the program what it expects.
//
// If not even one frame fits on a stack, our handler does without SA_ONSTACK.
#include "preload/stop/alternate_stack.h"

#include <errno.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "preload/lasting.h"
#include "preload/save/signals.h"
#include "preload/state.h"
#include "preload/stop/stop.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace mig {
namespace {

constexpr size_t kUsualFrame = 4 << 10;
constexpr size_t kOwnUse = 1 << 10;  ///< of the stack that the kernel chose, until ours is reached
constexpr size_t kSmall = 16 << 10;
constexpr size_t kLarge = 64 << 10;
constexpr uint32_t kAutoDisarm = 1u << 31;

/// Of this thread, once a handler has begun on a small stack.
struct Guard {
  stack_t small;  ///< the program's
  char* large;
};
thread_local Guard guard __attribute__((tls_model("initial-exec"))) = {};

size_t frame_size() {
  size_t size = getauxval(AT_MINSIGSTKSZ);
  return size ? size : kUsualFrame;
}

size_t small_size() {
  size_t two = 2 * (frame_size() + kOwnUse);
  return two > kSmall ? two : kSmall;
}

bool contains(const stack_t& stack, uint64_t address) {
  auto base = reinterpret_cast<uint64_t>(stack.ss_sp);
  return address >= base && address - base < stack.ss_size;
}

uint64_t here() {
  return reinterpret_cast<uint64_t>(__builtin_frame_address(0));
}

/// The kernel has forgotten the small stack that this runs on. False: it has not, and nothing more may come on top.
bool has_room(const stack_t& was) {
  if (!contains(was, here())) return true;
  if (!(static_cast<uint32_t>(was.ss_flags) & kAutoDisarm)) return was.ss_size >= small_size();
  if (!guard.large) guard.large = static_cast<char*>(map_lasting_pages(kLarge));
  if (!guard.large) return false;
  guard.small = was;
  stack_t large{guard.large, 0, kLarge};
  return sys(__NR_sigaltstack, &large, nullptr) == 0;
}

void look_at(size_t size) {
  if (size < frame_size() + kOwnUse && !state.tiny_alternate_stack) {
    state.tiny_alternate_stack = true;
    install_handler();
  }
  if (state.small_alternate_stack) return;
  state.small_alternate_stack = true;
  put_in_front_of_all();
}

/// In a handler on its small stack, or after it has left that by longjmp, the kernel knows only our larger one.
bool is_replaced(const stack_t& kernels) {
  return guard.large && kernels.ss_sp == guard.large;
}

void tell(stack_t kernels, stack_t& old) {
  old = program_stack(kernels);
  bool on = is_replaced(kernels) ? contains(guard.small, here()) : kernels.ss_flags & SS_ONSTACK;
  old.ss_flags = on ? SS_ONSTACK : kernels.ss_flags & SS_DISABLE;
}

long set_small(const stack_t& stack) {
  look_at(stack.ss_size);
  stack_t disarming = stack;
  disarming.ss_flags = static_cast<int>(static_cast<uint32_t>(stack.ss_flags) | kAutoDisarm);
  long r = sys(__NR_sigaltstack, &disarming, nullptr);
  return r == -EINVAL ? sys(__NR_sigaltstack, &stack, nullptr) : r;
}

/// sigaltstack(2) where a small stack is or was in use.
long guarded_sigaltstack(const stack_t* stack, stack_t* old) {
  stack_t kernels{};
  sys(__NR_sigaltstack, nullptr, &kernels);
  if (stack && is_replaced(kernels) && contains(guard.small, here())) return -EPERM;
  bool small = stack && !(stack->ss_flags & SS_DISABLE) && stack->ss_size < small_size();
  long r = !stack ? 0 : small ? set_small(*stack) : sys(__NR_sigaltstack, stack, nullptr);
  if (r == 0 && old) tell(kernels, *old);
  return r;
}

}  // namespace

uint64_t own_signals() {
  return uint64_t{1} << (state.signal - 1) | uint64_t{1} << (kStopSignal - 1);
}

bool small_alternate_stacks() {
  return state.small_alternate_stack;
}

const stack_t& program_stack(const stack_t& kernels) {
  return is_replaced(kernels) ? guard.small : kernels;
}

void make_room(void* context) {
  if (!has_room(static_cast<ucontext_t*>(context)->uc_stack)) return;
  uint64_t open = own_signals();
  sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &open, nullptr, 8);
}

}  // namespace mig

using namespace mig;

namespace {
MIG_ORIGINAL(sigaltstack);
}

MIG_EXPORT int sigaltstack(const stack_t* stack, stack_t* old) noexcept {
  bool small = stack && !(stack->ss_flags & SS_DISABLE) && stack->ss_size < small_size();
  if (!state.active || (!small && !state.small_alternate_stack)) return original_sigaltstack(stack, old);
  return int_with_errno(guarded_sigaltstack(stack, old));
}
