// Virtual ids: the numbers that the program was born with and keeps, against the kernel's numbers of today.
//
// Process groups and sessions may be those of somebody outside the job (a shell), so they have a pair each of their own,
// looked at before the table of processes and threads.
#pragma once
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

/// Open addressing; an entry is read and written as one word. {0, 0}: free, {-1, -1}: was in use.
struct IdTables {
  IdEntry* by_virtual;
  IdEntry* by_real;
  uint32_t mask;
  bool moved;  ///< some number differs: there is something to translate
  int32_t real_pid;
  bool parent_fixed;  ///< getppid() stays what it was
  IdEntry group, session;
};
extern IdTables ids;

inline thread_local int32_t cached_pid __attribute__((tls_model("initial-exec"))) = 0;
inline thread_local int32_t cached_tid __attribute__((tls_model("initial-exec"))) = 0;

inline bool ids_moved() {
  return __builtin_expect(__atomic_load_n(&ids.moved, __ATOMIC_RELAXED), false);
}

MIG_INLINE uint32_t id_hash(int32_t number) {
  return static_cast<uint32_t>(number) * 2654435761u >> 7;
}
MIG_INLINE IdEntry id_entry(const IdEntry* at) {
  uint64_t word = __atomic_load_n(reinterpret_cast<const uint64_t*>(at), __ATOMIC_ACQUIRE);
  return {static_cast<int32_t>(word), static_cast<int32_t>(word >> 32)};
}

MIG_INLINE int32_t virtual_task(int32_t real) {
  if (!ids.moved || real <= 0) return real;
  for (uint32_t i = id_hash(real), n = 0; n <= ids.mask; ++i, ++n) {
    IdEntry e = id_entry(&ids.by_real[i & ids.mask]);
    if (e.real_number == real) return e.virtual_number;
    if (!e.real_number) break;
  }
  return real;
}
MIG_INLINE int32_t real_task(int32_t number) {
  if (!ids.moved || number <= 0) return number;
  for (uint32_t i = id_hash(number), n = 0; n <= ids.mask; ++i, ++n) {
    IdEntry e = id_entry(&ids.by_virtual[i & ids.mask]);
    if (e.virtual_number == number) return e.real_number;
    if (!e.virtual_number) break;
  }
  return number;
}
MIG_INLINE int32_t virtual_by(const IdEntry& own, int32_t real) {
  return ids.moved && real > 0 && real == own.real_number ? own.virtual_number : virtual_task(real);
}
MIG_INLINE int32_t real_by(const IdEntry& own, int32_t number) {
  return ids.moved && number > 0 && number == own.virtual_number ? own.real_number : real_task(number);
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
    case IdKind::kGroup: return real_by(ids.group, number);
    case IdKind::kSession: return real_by(ids.session, number);
    case IdKind::kTarget: return number < -1 ? -real_by(ids.group, -number) : real_task(number);
    case IdKind::kClock: return real_clock_inline(value);
    default: return value;
  }
}
MIG_INLINE long to_virtual(IdKind kind, long value) {
  auto number = static_cast<int32_t>(value);
  switch (kind) {
    case IdKind::kTask: return virtual_task(number);
    case IdKind::kGroup: return virtual_by(ids.group, number);
    case IdKind::kSession: return virtual_by(ids.session, number);
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
/// After a restart: what each thread's slot was told by the stub.
void learn_real_ids();
/// At the start of a program in a process that was restarted before its exec.
void adopt_own_ids(int32_t virtual_pid, int32_t virtual_parent);
/// In the child of a fork: a process of its own.
void forget_own_ids();

/// Entries of threads that come and go after a restart.
bool add_id(int32_t virtual_number, int32_t real);
void remove_id(int32_t virtual_number, int32_t real);
/// A number that no process or thread of any kernel has.
int32_t fresh_virtual_id();

}  // namespace mig
