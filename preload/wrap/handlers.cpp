// Handlers of the program that need something of ours in front of them.
//
// Those that run on a small alternate stack: see preload/stop/alternate_stack.cpp. The others only after a restart:
// The kernel writes real pids into si_pid. A SA_SIGINFO handler therefore gets a function of ours in front, which
// translates the number and goes on to the program's by a tail call: no frame of ours is on the stack while it runs. No checkpoint comes
// before the number is translated (preload/unsplit.h): after a restart it would mean another process. Only
// processes that were restarted have this; a handler set before is changed when the process comes back.
//
// Tried instead: queueing signals to oneself with the right number (rt_sigqueueinfo). The kernel takes the code of kill
// or tgkill only from the very thread that is to get the signal.
#include "preload/wrap/handlers.h"

#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/save/signals.h"
#include "preload/state.h"
#include "preload/stop/alternate_stack.h"
#include "preload/stop/stop.h"
#include "preload/unsplit.h"

namespace mig {
namespace {

constexpr int kSignals = 64;
constexpr int kCancelSignal = 32;  ///< libc compares the sender with the kernel's number
InfoHandler own_handlers[kSignals + 1];

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

bool guards(uint64_t flags) {
  return (flags & SA_ONSTACK) && small_alternate_stacks();
}

MIG_INLINE bool tells_sender(int signal, int code) {
  if (code == SI_TIMER || code == SI_SIGIO) return false;
  return code <= 0 || (signal == SIGCHLD && code <= CLD_CONTINUED);
}
MIG_INLINE void translate(siginfo_t* info) {
  if (tells_sender(info->si_signo, info->si_code)) info->si_pid = virtual_task(info->si_pid);
}

/// The request often comes together with a signal of the program, whose handler has then not run its first instruction.
MIG_UNSPLIT void in_front(int signal, siginfo_t* info, void* context) {
  translate(info);
  if (small_alternate_stacks()) make_room(context);
  own_handlers[signal](signal, info, context);
}

bool wants_front(uint64_t handler, uint64_t flags) {
  bool sender = (flags & SA_SIGINFO) && ids_moved();
  return (sender || guards(flags)) && handler > 1 && handler != reinterpret_cast<uint64_t>(in_front);
}

}  // namespace

bool has_sender(int signal, int code) {
  return tells_sender(signal, code);
}

MIG_UNSPLIT void translate_sender(siginfo_t* info) {
  translate(info);
}

void put_in_front_of_all() {
  for (int signal = 1; signal <= kSignals; ++signal) {
    KernelAction a{};
    if (signal == state.signal || signal == kCancelSignal || signal == kStopSignal ||
        sys(__NR_rt_sigaction, signal, nullptr, &a, 8) < 0)
      continue;
    if (!wants_front(a.handler, a.flags)) continue;
    if (guards(a.flags)) a.mask |= own_signals();
    own_handlers[signal] = reinterpret_cast<InfoHandler>(a.handler);
    a.handler = reinterpret_cast<uint64_t>(in_front);
    sys(__NR_rt_sigaction, signal, &a, nullptr, 8);
  }
}

void translate_handlers() {
  if (ids_moved()) put_in_front_of_all();
}

void put_in_front(int signal, InfoHandler& handler, unsigned long flags) {
  if (signal < 1 || signal > kSignals || !wants_front(reinterpret_cast<uint64_t>(handler), flags)) return;
  own_handlers[signal] = handler;
  handler = in_front;
}

InfoHandler own_handler(int signal) {
  return signal >= 1 && signal <= kSignals ? own_handlers[signal] : nullptr;
}

void take_from_front(InfoHandler& handler, InfoHandler own) {
  if (handler == in_front) handler = own;
}

}  // namespace mig
