// Virtual ids: the numbers that the program was born with and keeps, against the kernel's numbers of today.
//
// Process groups and sessions may be those of somebody outside the job (a shell), so they have a pair each of their own,
// looked at before the table (image/ids.h).
#pragma once
#include <linux/capability.h>
#include <stdint.h>
#include <time.h>

#include "image/base/arch/x86_64/syscall.h"
#include "image/ids.h"
#include "preload/unsplit.h"

namespace mig {

/// What an argument or a result of a system call is, as far as ids go.
enum class IdKind : uint8_t {
  kNone = 0,
  kTask,   ///< a process or thread, 0: oneself
  kGroup,  ///< a process group, 0: one's own
  kSession,
  kTarget,  ///< as kill(2) and F_SETOWN have it: a process, -GROUP, 0, -1
  kClock,   ///< a clock, which may be a thread's or a process's CPU time
};

struct IdTables {
  IdSpace* space;  ///< the job's, in its control block; of this process alone where there is none
  bool moved;      ///< some number differs: there is something to translate
  int32_t real_pid;
  bool parent_fixed;  ///< getppid() stays what it was
};
extern IdTables ids;

inline thread_local int32_t cached_pid __attribute__((tls_model("initial-exec"))) = 0;
inline thread_local int32_t cached_tid __attribute__((tls_model("initial-exec"))) = 0;

inline bool ids_moved() {
  return __builtin_expect(__atomic_load_n(&ids.moved, __ATOMIC_RELAXED), false);
}

MIG_INLINE int32_t virtual_task(int32_t real) {
  int32_t number = ids.moved && real > 0 ? find_virtual(*ids.space, real) : 0;
  return number ? number : real;
}
MIG_INLINE int32_t real_task(int32_t number) {
  int32_t real = ids.moved && number > 0 ? find_real(*ids.space, number) : 0;
  return real ? real : number;
}
/// A group or session: that of somebody outside, or one of the table.
MIG_INLINE int32_t virtual_by(IdEntry IdSpace::*outside, int32_t real) {
  if (!ids.moved || real <= 0) return real;
  IdEntry e = id_entry(&(ids.space->*outside));
  return real == e.real_number ? e.virtual_number : virtual_task(real);
}
MIG_INLINE int32_t real_by(IdEntry IdSpace::*outside, int32_t number) {
  if (!ids.moved || number <= 0) return number;
  IdEntry e = id_entry(&(ids.space->*outside));
  return number == e.virtual_number ? e.real_number : real_task(number);
}

/// CPU-time clocks of a process or thread have its number in them (linux/posix-timers.h): ~number << 3 | kind.
MIG_INLINE bool is_task_clock(long clock) {
  return static_cast<int32_t>(clock) < 0 && (clock & 3) != 3;
}
MIG_INLINE int32_t clock_task(long clock) {
  return ~(static_cast<int32_t>(clock) >> 3);
}
MIG_INLINE long clock_with(long clock, int32_t task) {
  return static_cast<int32_t>((~static_cast<uint32_t>(task) << 3) | (static_cast<uint32_t>(clock) & 7));
}
MIG_INLINE long real_clock_inline(long clock) {
  return ids.moved && is_task_clock(clock) ? clock_with(clock, real_task(clock_task(clock))) : clock;
}

MIG_INLINE long to_real(IdKind kind, long value) {
  auto number = static_cast<int32_t>(value);
  switch (kind) {
    case IdKind::kTask: return real_task(number);
    case IdKind::kGroup: return real_by(&IdSpace::group, number);
    case IdKind::kSession: return real_by(&IdSpace::session, number);
    case IdKind::kTarget: return number < -1 ? -real_by(&IdSpace::group, -number) : real_task(number);
    case IdKind::kClock: return real_clock_inline(value);
    default: return value;
  }
}
MIG_INLINE long to_virtual(IdKind kind, long value) {
  auto number = static_cast<int32_t>(value);
  switch (kind) {
    case IdKind::kTask: return virtual_task(number);
    case IdKind::kGroup: return virtual_by(&IdSpace::group, number);
    case IdKind::kSession: return virtual_by(&IdSpace::session, number);
    default: return value;
  }
}

/// A system call whose arguments and result are ids: translated and called in one stretch that no checkpoint splits.
/// It must not block. Result: the kernel's convention.
struct IdCall {
  IdKind argument[6] = {};
  IdKind result = IdKind::kNone;
};
long call_with_ids(const IdCall& call, long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);

/// capget and capset: the number stands in the header, where the kernel answers with its version.
long call_with_capabilities(long number, __user_cap_header_struct* header, long data);

/// The virtual number of a process or thread of this job; any other number as it is.
int32_t virtual_id(int32_t real);
int32_t real_id(int32_t virtual_number);
int32_t virtual_group(int32_t real);
int32_t virtual_session(int32_t real);
long real_clock(long clock);

/// The calling process and thread, and the parent, as the program knows them.
int32_t own_pid();
int32_t own_tid();
int32_t own_parent();
/// True in the process that the library was last told of: false in a vfork child, which shares its memory.
bool is_own_process();

/// At the program's start.
void note_own_ids();
/// After a restart, once the job's control block is mapped: enters what each thread's slot was told by the stub.
void learn_real_ids();
/// The table of the job that this process has joined, when the whole job is in it.
void use_id_space();
/// At the start of a program in a process that had these ids before its exec.
void adopt_own_ids(int32_t virtual_pid, int32_t virtual_parent);
/// In the child of a fork: a process of its own.
void forget_own_ids();

/// The virtual number of a process or thread that the kernel has just given `real`: parent and child may both ask.
int32_t adopt_new_task(int32_t real);
/// A child has been waited for: some time later its number means nothing any more, unless a group or session has it.
void forget_child(int32_t number, int32_t real);

/// A thread ends.
void remove_id(int32_t virtual_number, int32_t real);

}  // namespace mig
