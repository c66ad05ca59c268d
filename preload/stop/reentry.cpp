// Entering a system call again with other arguments, unseen by the program.
//
// What remains of a relative timeout is not what stands in the argument, and an absolute time means another moment to
// another host's kernel. The kernel promises to preserve the argument registers, and inlined system calls rely on it: so a
// thread enters the call from a few instructions of ours (arch/x86_64/reentry.S) that give its registers back afterwards.
// The place where they wait is found through rbx, which the kernel preserves too; nothing of the program's stack is used.
//
// Reentries nest: a handler of the program's own may run during such a call and block in turn. A handler may also leave
// by longjmp and never come back: a Reentry from a deeper place of the same stack than the one now asking is dead.
//
// How much remains is known from: the wrapper's note of the beginning; the place where the kernel wrote the rest
// (nanosleep); or the kernel has already shortened the argument itself (select, ppoll). The time that the stop took, or
// that passed for the program in a restart, counts. Without any of these the call begins anew with its full timeout.
//
// Tried and not used: restart_syscall(2) in the handler does continue nanosleep, poll and futex with their absolute end, but
// sigreturn clears it, so the handler would have to be left without one, and a restarted process has none.
#include "preload/stop/reentry.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "preload/stop/call_table.h"
#include "preload/wrap/waits.h"

namespace mig {
namespace {

constexpr int kNesting = 4;
constexpr uint64_t kSameStack = 8 << 20;

thread_local Reentry reentries[kNesting] __attribute__((tls_model("initial-exec"))) = {};

uint64_t place(const char* label) {
  return reinterpret_cast<uint64_t>(label);
}

Reentry* free_reentry(uint64_t stack_pointer) {
  for (Reentry& r : reentries) {
    bool left = r.stack_pointer <= stack_pointer && stack_pointer - r.stack_pointer < kSameStack;
    if (!r.used || left) return &r;
  }
  return nullptr;
}

Reentry* make_reentry(Frame& frame, ReentryKind kind, int64_t number, uint64_t pc) {
  Reentry* r = free_reentry(frame.stack_pointer());
  if (!r) return nullptr;
  *r = {};
  for (int i = 0; i < 6; ++i) r->args[i] = frame.argument(i);
  r->rbx = frame.kept();
  r->pc = pc;
  r->kind = kind;
  r->number = number;
  r->stack_pointer = frame.stack_pointer();
  r->used = 1;
  frame.set_kept(reinterpret_cast<uint64_t>(r));
  return r;
}

void rewind(Frame& frame, int64_t number, uint64_t pc) {
  frame.set_result(number);
  frame.set_pc(pc - kSyscallSize);
}

/// Sets the timeout to what remains.
void aim(Frame& frame, Reentry& r) {
  int64_t remaining = r.deadline - program_clock();
  if (remaining < 0) remaining = 0;
  r.time = to_timespec(remaining);
  frame.set_argument(r.argument, r.milliseconds ? static_cast<uint64_t>((remaining + kMillisecond - 1) / kMillisecond)
                                                : reinterpret_cast<uint64_t>(&r.time));
}

void wait_until(Frame& frame, Reentry& r, int argument, int64_t deadline, bool milliseconds) {
  r.argument = argument, r.deadline = deadline, r.milliseconds = milliseconds;
  aim(frame, r);
}

bool has_parts(const Reentry& r) {
  return r.kind == ReentryKind::kTransfer || r.kind == ReentryKind::kEvents;
}

void start(Frame& frame, const Reentry& r) {
  frame.set_result(r.number);
  frame.set_pc(place(has_parts(r) ? mig_transfer : mig_reenter));
}

/// What is missing until the call returns by itself.
uint64_t missing(const Frame& frame, const Reentry& r) {
  return frame.argument(r.kind == ReentryKind::kEvents ? 1 : 2);
}

void take_part(Frame& frame, Reentry& r, uint64_t part) {
  r.done += part;
  frame.set_argument(2, frame.argument(2) - part);
  if (r.kind == ReentryKind::kEvents) {
    frame.set_argument(1, frame.argument(1) - part);
    frame.set_argument(3, frame.argument(3) + part * sizeof(io_event));
  } else {
    frame.set_argument(1, frame.argument(1) + part);
  }
}

void enter_until(Frame& frame, int64_t number, uint64_t pc, int argument, int64_t deadline, bool milliseconds) {
  Reentry* r = make_reentry(frame, ReentryKind::kRemaining, number, pc);
  if (!r) return rewind(frame, number, pc);
  wait_until(frame, *r, argument, deadline, milliseconds);
  start(frame, *r);
}

const WaitNote* true_note(const Frame& frame, int64_t number) {
  uint64_t depth = wait_note.frame - frame.stack_pointer();
  return wait_note.begin && wait_note.number == number && depth < kWrapperDepth ? &wait_note : nullptr;
}

bool is_noted_deadline(uint64_t address) {
  return deadlines && deadlines->magic == kDeadlineMagic && address == reinterpret_cast<uint64_t>(&deadlines->time);
}

/// An absolute time of the kernel that ran when the thread was stopped.
void enter_absolute(const Interruption& stop, Frame& frame, int64_t number, uint64_t pc, int argument, long clock) {
  uint64_t address = frame.argument(argument);
  int64_t step = stop.generation != state.generation ? clock_step(clock) : 0;
  if (!address || !step || is_noted_deadline(address)) return rewind(frame, number, pc);
  timespec time = *reinterpret_cast<const timespec*>(address);
  Reentry* r = make_reentry(frame, ReentryKind::kUntil, number, pc);
  if (!r) return rewind(frame, number, pc);
  r->argument = argument, r->clock = clock, r->time = moved(time, -step);
  frame.set_argument(argument, reinterpret_cast<uint64_t>(&r->time));
  start(frame, *r);
}

/// Shortens a timeout that the kernel has written back. It may stand where only reading is allowed: then it is left.
template <class T>
void shorten(uint64_t address, int64_t elapsed, int64_t unit) {
  T time{};
  iovec here{&time, sizeof time}, there{reinterpret_cast<void*>(address), sizeof time};
  if (!address || sys(__NR_process_vm_readv, sys(__NR_getpid), &here, 1, &there, 1, 0) < 0) return;
  auto words = reinterpret_cast<int64_t*>(&time);
  int64_t left = words[0] * kSecond + words[1] * unit - elapsed;
  if (words[0] > INT32_MAX) return;
  if (left < 0) left = 0;
  words[0] = left / kSecond, words[1] = left % kSecond / unit;
  here = {&time, sizeof time}, there = {reinterpret_cast<void*>(address), sizeof time};
  sys(__NR_process_vm_writev, sys(__NR_getpid), &here, 1, &there, 1, 0);
}

void enter_noted(Frame& frame, int64_t number, uint64_t pc, const CallInfo& info) {
  const WaitNote* note = true_note(frame, number);
  uint64_t value = frame.argument(info.argument);
  bool milliseconds = info.timeout == Timeout::kMilliseconds;
  if (!note || (milliseconds ? static_cast<int32_t>(value) <= 0 : !value)) return rewind(frame, number, pc);
  int64_t span =
      milliseconds ? static_cast<int32_t>(value) * kMillisecond : nanoseconds(*reinterpret_cast<const timespec*>(value));
  enter_until(frame, number, pc, info.argument, note->begin + span, milliseconds);
}

/// The kernel has written what remained when the signal came.
void enter_remainder(const Interruption& stop, Frame& frame, int64_t number, uint64_t pc, int time, int remainder) {
  auto left = reinterpret_cast<const timespec*>(frame.argument(remainder));
  if (!left) return rewind(frame, number, pc);
  enter_until(frame, number, pc, time, stop.at + nanoseconds(*left), false);
}

void enter_futex(const Interruption& stop, Frame& frame, int64_t number, uint64_t pc, const CallInfo& info) {
  auto operation = static_cast<int>(frame.argument(1));
  long clock = operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT: return enter_noted(frame, number, pc, info);
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case 13 /* FUTEX_LOCK_PI2 */: return enter_absolute(stop, frame, number, pc, info.argument, clock);
    default: return rewind(frame, number, pc);
  }
}

}  // namespace

Reentry* reentry_of(const Frame& frame) {
  uint64_t pc = frame.pc();
  bool here = pc == place(mig_reenter) || pc == place(mig_reentered) || pc == place(mig_transfer) || pc == place(mig_transferred);
  return here ? reinterpret_cast<Reentry*>(frame.kept()) : nullptr;
}

bool is_behind_reentry(const Frame& frame) {
  return frame.pc() == place(mig_reentered) || frame.pc() == place(mig_transferred);
}

void continue_reentry(const Interruption& stop, Frame& frame, Reentry& r) {
  if (is_behind_reentry(frame) && frame.result() != -EINTR) {
    if (!has_parts(r) || frame.result() <= 0) return;
    auto part = static_cast<uint64_t>(frame.result());
    if (part >= missing(frame, r)) return;
    take_part(frame, r, part);
  }
  if (r.deadline) aim(frame, r);
  if (r.kind == ReentryKind::kUntil && stop.generation != state.generation) r.time = moved(r.time, -clock_step(r.clock));
  start(frame, r);
}

void enter_again(const Interruption& stop, Frame& frame, int64_t number, uint64_t pc) {
  const CallInfo* info = call_info(number);
  int64_t elapsed = program_clock() - stop.at;
  switch (info ? info->timeout : Timeout::kNone) {
    case Timeout::kMilliseconds:
    case Timeout::kRelative: return enter_noted(frame, number, pc, *info);
    case Timeout::kRemainder: return enter_remainder(stop, frame, number, pc, info->argument, info->second);
    case Timeout::kSleep:
      if (frame.argument(1) & TIMER_ABSTIME)
        return enter_absolute(stop, frame, number, pc, info->argument, static_cast<int32_t>(frame.argument(0)));
      return enter_remainder(stop, frame, number, pc, info->argument, info->second);
    case Timeout::kFutex: return enter_futex(stop, frame, number, pc, *info);
    case Timeout::kUntil:
      return enter_absolute(stop, frame, number, pc, info->argument, static_cast<int32_t>(frame.argument(info->second)));
    case Timeout::kUpdated: shorten<timespec>(frame.argument(info->argument), elapsed, 1); break;
    case Timeout::kUpdatedMicro: shorten<timeval>(frame.argument(info->argument), elapsed, 1000); break;
    case Timeout::kNone: break;
  }
  rewind(frame, number, pc);
}

void transfer_rest(Frame& frame, int64_t number) {
  Reentry* r = make_reentry(frame, ReentryKind::kTransfer, number, frame.pc());
  if (!r) return;
  take_part(frame, *r, static_cast<uint64_t>(frame.result()));
  start(frame, *r);
}

void await_more_events(Frame& frame, int64_t number) {
  const CallInfo& info = *call_info(number);
  auto timeout = reinterpret_cast<const timespec*>(frame.argument(info.argument));
  const WaitNote* note = true_note(frame, number);
  Reentry* r = make_reentry(frame, ReentryKind::kEvents, number, frame.pc());
  if (!r) return;
  take_part(frame, *r, static_cast<uint64_t>(frame.result()));
  if (timeout && note) wait_until(frame, *r, info.argument, note->begin + nanoseconds(*timeout), false);
  start(frame, *r);
}

void move_deadlines() {
  for (Deadline* d = deadlines; d && d->magic == kDeadlineMagic && d->self == d; d = d->outer)
    d->time = moved(d->time, -clock_step(d->clock));
}

}  // namespace mig
