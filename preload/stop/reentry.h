// Entering a system call again with other arguments, unseen by the program.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "preload/arch/x86_64/frame.h"
#include "preload/state.h"

namespace mig {

enum class ReentryKind : uint32_t { kRemaining, kUntil, kTransfer, kEvents };

/// One call being entered again. The first fields are known to arch/x86_64/reentry.S, which restores the
/// registers from them; while the call lasts, rbx points here (the kernel preserves it).
struct Reentry {
  uint64_t args[6];  ///< the program's: rdi, rsi, rdx, r10, r8, r9
  uint64_t rbx;      ///< the program's
  uint64_t pc;       ///< where the program goes on
  uint64_t used;
  uint64_t done;  ///< bytes transferred, or events taken, by earlier parts of the call
  ReentryKind kind;
  int32_t argument;  ///< index of the timeout
  int64_t number;
  uint64_t stack_pointer;
  int64_t deadline;  ///< kRemaining, kEvents: by the program's CLOCK_MONOTONIC; 0: none is known
  long clock;        ///< kUntil
  timespec time;
  bool milliseconds;
};
static_assert(offsetof(Reentry, rbx) == 48 && offsetof(Reentry, pc) == 56 && offsetof(Reentry, used) == 64 &&
              offsetof(Reentry, done) == 72);

/// The Reentry in whose call the thread was stopped (before the call or behind it), or nullptr.
Reentry* reentry_of(const Frame& frame);
bool is_behind_reentry(const Frame& frame);
/// Enters the call of a Reentry again, with what remains now.
void continue_reentry(const Interruption& stop, Frame& frame, Reentry& r);

/// Makes the frame enter call `number`, whose `syscall` instruction ends at `pc`, again with the timeout it should have now.
void enter_again(const Interruption& stop, Frame& frame, int64_t number, uint64_t pc);
/// Makes the frame transfer the rest of which frame.result() bytes are done.
void transfer_rest(Frame& frame, int64_t number);
/// The same for a wait for events of asynchronous I/O that has got frame.result() of them, fewer than it waits for.
void await_more_events(Frame& frame, int64_t number);

/// After a restart: the deadlines that this thread's wrappers have noted, as the new kernel counts.
void move_deadlines();

}  // namespace mig

// Places in the code, not functions to call.
extern "C" {
extern const char mig_reenter[] __attribute__((visibility("hidden")));
extern const char mig_reentered[] __attribute__((visibility("hidden")));
extern const char mig_transfer[] __attribute__((visibility("hidden")));
extern const char mig_transferred[] __attribute__((visibility("hidden")));
}
