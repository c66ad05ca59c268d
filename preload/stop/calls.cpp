// Interrupted system calls: making a stopped thread's call go on as if nothing had happened.
//
// A signal handler ends every blocking call. With SA_RESTART the kernel itself repeats those that it calls restartable; the
// others return -EINTR, which the program would see. Here the frame is rewound: the number goes back into rax and rip
// to the `syscall` instruction, so that rt_sigreturn enters the call again.
//
// Which call it was is gone once the handler runs (the frame has no orig_rax). It is known from, in this order:
//   - /proc/self/task/TID/syscall, read before the signal was sent, if the pc is still the same. It says 219
//     (restart_syscall) for a sleep that was stopped and continued before;
//   - the wrapper's note (preload/wrap/waits.h);
//   - the code before the `syscall` instruction: libc loads the number by `mov $N, %eax` some instructions before.
// All of these are needed: the thread that takes a plain `kill -64` was not looked at before, and a thread may enter a
// call between the look and the signal.
//
// What else must be as if nothing had happened:
//   - relative timeouts: only what remains of them is waited for (preload/stop/reentry.cpp);
//   - the program's own signals. If one became pending meanwhile whose handler will run before the call is
//     entered again, then the program must see what it would have seen: EINTR, unless the kernel would have repeated the
//     call after that handler. Calls with a mask of their own (sigsuspend, ppoll) look at what is pending under that mask
//     by themselves, so for them only signals count that both masks let through;
//   - write(2) to a pipe or socket of which a part was done: the rest is done too (no short count without a signal
//     of the program's own). So it is with a wait for events of asynchronous I/O that has taken some of them.
#include "preload/stop/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "preload/stop/call_table.h"
#include "preload/stop/pending.h"
#include "preload/stop/reentry.h"
#include "preload/wrap/child_waits.h"
#include "preload/wrap/waits.h"

namespace mig {
namespace {

constexpr uint64_t kCodeWindow = 48;
constexpr int64_t kPgetevents = 333;

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

/// Copies code of the program that may not be there to be read.
bool copy_code(uint64_t from, void* to, size_t size) {
  iovec here{to, size}, there{reinterpret_cast<void*>(from), size};
  return sys(__NR_process_vm_readv, sys(__NR_getpid), &here, 1, &there, 1, 0) == static_cast<long>(size);
}

bool is_syscall_instruction(uint64_t at) {
  unsigned char code[kSyscallSize];
  return copy_code(at, code, sizeof code) && code[0] == 0x0f && code[1] == 0x05;
}

/// The number that the code before the `syscall` instruction loads, if it is that of a blocking call; or -1.
int64_t number_in_code(uint64_t instruction) {
  unsigned char code[kCodeWindow];
  if (!copy_code(instruction - kCodeWindow, code, sizeof code)) return -1;
  for (size_t at = kCodeWindow - 2; at >= 1; --at) {
    bool extended = (code[at - 1] & 0xf0) == 0x40;  // by a prefix: not about eax
    if (extended) continue;
    if (code[at] == 0x31 && code[at + 1] == 0xc0) return __NR_read;
    if (code[at] != 0xb8 || at + 5 > kCodeWindow) continue;
    uint32_t number;
    memcpy(&number, code + at + 1, sizeof number);
    if (call_info(number)) return number;
  }
  return -1;
}

int64_t noted_number(uint64_t stack_pointer) {
  bool true_note = wait_note.frame - stack_pointer < kWrapperDepth;
  return true_note && call_info(wait_note.number) ? wait_note.number : -1;
}

/// The call whose `syscall` instruction ends at the frame's pc, or -1.
int64_t ended_call(const Interruption& stop, const Frame& frame) {
  uint64_t pc = frame.pc();
  if (stop.blocked.number >= 0 && pc == stop.blocked.program_counter && stop.blocked.number != __NR_restart_syscall)
    return stop.blocked.number;
  int64_t number = noted_number(frame.stack_pointer());
  return number >= 0 ? number : number_in_code(pc - kSyscallSize);
}

/// A mask that the call sets for its own duration; nothing if it has none.
uint64_t own_mask(const CallInfo* info, const Frame& frame) {
  if (!info || info->own_mask == OwnMask::kNone) return 0;
  auto p = reinterpret_cast<const uint64_t*>(frame.argument(info->mask));
  if (p && info->own_mask == OwnMask::kIndirect) p = reinterpret_cast<const uint64_t*>(*p);
  return p ? *p : 0;
}

/// Of the signals that will be delivered as soon as the frame is loaded, the first that runs a handler (the kernel takes
/// the lowest number first).
bool handler_is_due(const Frame& frame, uint64_t also_blocked, KernelAction& action) {
  uint64_t pending = pending_for_this_thread() & ~(frame.mask() | also_blocked);
  for (int signal = 1; pending; ++signal, pending >>= 1)
    if ((pending & 1) && sys(__NR_rt_sigaction, signal, nullptr, &action, 8) == 0 && action.handler > 1) return true;
  return false;
}

bool handler_is_due(const Frame& frame, uint64_t also_blocked = 0) {
  KernelAction action{};
  return handler_is_due(frame, also_blocked, action);
}

void continue_ended(const Interruption& stop, Frame& frame) {
  int64_t number = ended_call(stop, frame);
  if (number < 0 || number == __NR_close || handler_is_due(frame, own_mask(call_info(number), frame))) return;
  enter_again(stop, frame, number, frame.pc());
}

/// A futex with priority inheritance is locked however many handlers run (ERESTARTNOINTR): libc takes EINTR for success.
bool ends_by_handler(const CallInfo& info, const Frame& frame) {
  constexpr uint64_t kLockPi2 = 13;
  uint64_t operation = frame.argument(1) & static_cast<uint64_t>(FUTEX_CMD_MASK);
  if (info.number == __NR_futex && (operation == FUTEX_LOCK_PI || operation == kLockPi2)) return false;
  return info.interrupted == Interrupted::kRestart;
}

/// The kernel has rewound the call by itself. A handler without SA_RESTART must end it nevertheless.
void continue_rewound(const Interruption& stop, Frame& frame) {
  int64_t number = frame.result();
  uint64_t pc = frame.pc() + kSyscallSize;
  const CallInfo* info = call_info(number);
  bool was_blocked = number == stop.blocked.number && pc == stop.blocked.program_counter;
  if (!info) return;
  if (KernelAction action{};
      was_blocked && ends_by_handler(*info, frame) && handler_is_due(frame, 0, action) && !(action.flags & SA_RESTART)) {
    frame.set_pc(pc);
    frame.set_result(-EINTR);
  } else if (stop.generation != state.generation) {
    if (info->timeout == Timeout::kFutex || info->timeout == Timeout::kUntil) enter_again(stop, frame, number, pc);
  }
}

/// The first part of a blocking transfer is done.
bool is_partial(const Frame& frame, int64_t number) {
  auto flags = static_cast<int>(frame.argument(3));
  if (number == __NR_recvfrom && (flags & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT)) != MSG_WAITALL) return false;
  if (number == __NR_sendto && (flags & MSG_DONTWAIT)) return false;
  if (number != __NR_write && number != __NR_sendto && number != __NR_recvfrom) return false;
  struct stat st {};
  auto fd = static_cast<int>(frame.argument(0));
  if (sys(__NR_fstat, fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))) return false;
  long open_flags = sys(__NR_fcntl, fd, F_GETFL);
  return open_flags >= 0 && !(open_flags & O_NONBLOCK);
}

/// A wait for events has taken some, but not yet as many as it waits for.
bool has_fewer_events(const Frame& frame, int64_t number) {
  return (number == __NR_io_getevents || number == kPgetevents) && static_cast<uint64_t>(frame.result()) < frame.argument(1);
}

void continue_transfer(const Interruption& stop, Frame& frame) {
  int64_t number = ended_call(stop, frame);
  if (handler_is_due(frame, own_mask(call_info(number), frame))) return;
  if (is_partial(frame, number)) transfer_rest(frame, number);
  else if (has_fewer_events(frame, number)) await_more_events(frame, number);
}

void continue_reentered(const Interruption& stop, Frame& frame, Reentry& r) {
  bool ended = is_behind_reentry(frame) && frame.result() == -EINTR;
  if (ended && handler_is_due(frame, own_mask(call_info(r.number), frame))) return;
  continue_reentry(stop, frame, r);
}

}  // namespace

void continue_call(const Interruption& stop) {
  Frame frame(stop.frame);
  int64_t result = frame.result();
  if (stop.generation != state.generation) {
    move_deadlines();
    renew_interrupted_waits(*stop.frame);
    if (is_in_child_wait(frame)) renew_child_wait(frame);
  }
  if (Reentry* r = reentry_of(frame)) return continue_reentered(stop, frame, *r);
  if (call_info(result) && is_syscall_instruction(frame.pc())) return continue_rewound(stop, frame);
  bool partial = result > 0 && static_cast<uint64_t>(result) < frame.argument(2);
  if ((result != -EINTR && !partial) || !is_syscall_instruction(frame.pc() - kSyscallSize)) return;
  if (partial) continue_transfer(stop, frame);
  else continue_ended(stop, frame);
}

}  // namespace mig
