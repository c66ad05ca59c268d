// The numbers that the program knows its processes, threads, groups and sessions by, against the kernel's numbers of today:
// one table for the whole job, in its control block (image/job.h), written by the stub and by every member.
//
// Two hash tables with open addressing, one per direction. An entry is read and written as one 64-bit word, so that
// readers need no lock; writers take `lock`. {0, 0}: free, {-1, -1}: was in use.
//
// What is not in the table is its own number: processes outside the job, and members born since the last restart. A new
// process or thread whose real number is some member's virtual one gets a fresh number, which no kernel gives out. Parent and
// child ask for it independently and in any order: `births` tells the second what the first was given.
//
// The lock holds its holder's real tid. Its holder has every signal blocked, but it may be killed, or stopped: who waits
// takes the lock away from a holder that is gone, and after a limit from any. The limit counts naps, not time,
// so that nobody's lock is broken because the whole job was stopped for a while.
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdint.h>

#include "image/base/clock.h"

namespace mig {

struct IdEntry {
  int32_t virtual_number, real_number;
};

/// A task that was given its number since the last restart: known by its real number and its start time.
struct IdBirth {
  int32_t real_number, virtual_number;
  uint64_t start;
};

constexpr uint32_t kIdSlots = 1 << 16;           ///< a power of two; at most a quarter of it is used
constexpr uint32_t kIdProbes = 4096;             ///< places looked at for a new entry
constexpr int32_t kFirstFreshId = 1 << 22;       ///< PID_MAX_LIMIT of the kernel
constexpr int32_t kLastFreshId = (1 << 28) - 1;  ///< the clock of a task has its number in 29 bits
constexpr uint32_t kIdBirths = 256;
constexpr int kIdLockNaps = 1000;  ///< of a millisecond each

struct IdSpace {
  uint32_t lock;
  uint32_t moved;      ///< 1: some number differs, so there is something to translate
  int32_t next_fresh;  ///< 0: kFirstFreshId
  uint32_t reserved;
  IdEntry group, session;  ///< those that the job's first process shares with somebody outside (its shell)
  IdEntry by_virtual[kIdSlots];
  IdEntry by_real[kIdSlots];
  IdBirth births[kIdBirths];
};

#define MIG_IDS_INLINE inline __attribute__((always_inline))

MIG_IDS_INLINE uint32_t id_hash(int32_t number) {
  return static_cast<uint32_t>(number) * 2654435761u >> 7;
}
MIG_IDS_INLINE IdEntry id_entry(const IdEntry* at) {
  uint64_t word = __atomic_load_n(reinterpret_cast<const uint64_t*>(at), __ATOMIC_ACQUIRE);
  return {static_cast<int32_t>(word), static_cast<int32_t>(word >> 32)};
}
inline void put_id_entry(IdEntry* at, IdEntry e) {
  uint64_t word = static_cast<uint32_t>(e.virtual_number) | static_cast<uint64_t>(static_cast<uint32_t>(e.real_number)) << 32;
  __atomic_store_n(reinterpret_cast<uint64_t*>(at), word, __ATOMIC_RELEASE);
}

/// The other number of an entry, or 0.
MIG_IDS_INLINE int32_t find_virtual(const IdSpace& space, int32_t real) {
  for (uint32_t i = id_hash(real), n = 0; n < kIdSlots; ++i, ++n) {
    IdEntry e = id_entry(&space.by_real[i % kIdSlots]);
    if (e.real_number == real) return e.virtual_number;
    if (!e.real_number) break;
  }
  return 0;
}
MIG_IDS_INLINE int32_t find_real(const IdSpace& space, int32_t number) {
  for (uint32_t i = id_hash(number), n = 0; n < kIdSlots; ++i, ++n) {
    IdEntry e = id_entry(&space.by_virtual[i % kIdSlots]);
    if (e.virtual_number == number) return e.real_number;
    if (!e.virtual_number) break;
  }
  return 0;
}

/// The table is written by one process at a time.
class ScopedIdLock {
 public:
  explicit ScopedIdLock(IdSpace& space) : word_(&space.lock), self_(static_cast<uint32_t>(sys(__NR_gettid))) {
    uint64_t every = ~0UL;
    sys(__NR_rt_sigprocmask, SIG_BLOCK, &every, &mask_, sizeof mask_);
    uint32_t holder = 0;
    for (int i = 0; !take(holder); ++i) {
      bool gone = sys(__NR_kill, static_cast<int32_t>(holder), 0) == -ESRCH;
      if ((gone || i >= kIdLockNaps) && take(holder)) return;
      timespec nap{0, kMillisecond};
      if (i < 8) sys(__NR_sched_yield);
      else sys(__NR_nanosleep, &nap, nullptr);
      holder = 0;
    }
  }
  ~ScopedIdLock() {
    uint32_t holder = self_;
    __atomic_compare_exchange_n(word_, &holder, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    sys(__NR_rt_sigprocmask, SIG_SETMASK, &mask_, nullptr, sizeof mask_);
  }
  ScopedIdLock(const ScopedIdLock&) = delete;
  ScopedIdLock& operator=(const ScopedIdLock&) = delete;

 private:
  bool take(uint32_t& holder) {
    return __atomic_compare_exchange_n(word_, &holder, self_, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
  }
  uint32_t* word_;
  uint32_t self_;
  uint64_t mask_ = 0;
};

// What follows is called with the lock held.

/// An unused place for a key, or nullptr.
inline IdEntry* free_id_place(IdEntry* table, int32_t key) {
  for (uint32_t i = id_hash(key), n = 0; n < kIdProbes; ++i, ++n)
    if (IdEntry* at = &table[i % kIdSlots]; at->virtual_number <= 0) return at;
  return nullptr;
}

/// Frees the entry's place. Behind it nobody looks any further if the next place is free: neither need this one, nor those
/// before it that were in use.
inline void clear_id_place(IdEntry* table, int32_t key, IdEntry e) {
  for (uint32_t i = id_hash(key), n = 0; n < kIdSlots; ++i, ++n) {
    IdEntry& at = table[i % kIdSlots];
    if (!at.virtual_number) return;
    if (at.virtual_number != e.virtual_number || at.real_number != e.real_number) continue;
    put_id_entry(&at, {-1, -1});
    if (table[(i + 1) % kIdSlots].virtual_number) return;
    for (uint32_t j = i; table[j % kIdSlots].virtual_number < 0; --j) put_id_entry(&table[j % kIdSlots], {0, 0});
    return;
  }
}

inline void remove_id_pair(IdSpace& space, IdEntry e) {
  clear_id_place(space.by_virtual, e.virtual_number, e);
  clear_id_place(space.by_real, e.real_number, e);
}

/// A number equal to its real one needs no entry. What either number belonged to before has ended.
inline bool insert_id_pair(IdSpace& space, IdEntry e) {
  int32_t known = find_real(space, e.virtual_number);
  if (known && known == e.real_number) return true;
  if (known) remove_id_pair(space, {e.virtual_number, known});
  if (int32_t number = find_virtual(space, e.real_number)) remove_id_pair(space, {number, e.real_number});
  if (e.virtual_number >= space.next_fresh && e.virtual_number >= kFirstFreshId) space.next_fresh = e.virtual_number + 1;
  if (e.virtual_number == e.real_number) return true;
  IdEntry *by_virtual = free_id_place(space.by_virtual, e.virtual_number), *by_real = free_id_place(space.by_real, e.real_number);
  if (!by_virtual || !by_real) return false;
  put_id_entry(by_virtual, e);
  put_id_entry(by_real, e);
  __atomic_store_n(&space.moved, 1, __ATOMIC_RELEASE);
  return true;
}

/// A number that no process or thread of any kernel has, nor any member.
inline int32_t fresh_id(IdSpace& space) {
  for (;;) {
    if (space.next_fresh < kFirstFreshId || space.next_fresh > kLastFreshId) space.next_fresh = kFirstFreshId;
    int32_t number = space.next_fresh++;
    if (!find_real(space, number)) return number;
  }
}

/// Entries of tasks that ended without telling.
template <class Lives>
void sweep_ids(IdSpace& space, Lives lives) {
  for (const IdEntry& at : space.by_real)
    if (IdEntry e = id_entry(&at); e.real_number > 0 && !lives(e.real_number)) remove_id_pair(space, e);
}

MIG_IDS_INLINE bool is_known_id(const IdSpace& space, int32_t real) {
  IdEntry group = id_entry(&space.group), session = id_entry(&space.session);
  return find_virtual(space, real) || find_real(space, real) || group.virtual_number == real || group.real_number == real ||
         session.virtual_number == real || session.real_number == real;
}

/// The number of a task that the kernel has just given `real` and that began at `start`. `lives(real)`: there is a process, a
/// thread, a group or a session of that number.
template <class Lives>
int32_t adopt_id(IdSpace& space, int32_t real, uint64_t start, Lives lives) {
  IdBirth& birth = space.births[id_hash(real) % kIdBirths];
  int32_t before = find_virtual(space, real);
  bool told = birth.real_number == real && birth.start == start;
  if (told && birth.virtual_number == (before ? before : real)) return birth.virtual_number;
  if (before) remove_id_pair(space, {before, real});
  if (space.group.real_number == real) put_id_entry(&space.group, {0, 0});
  if (space.session.real_number == real) put_id_entry(&space.session, {0, 0});
  int32_t holder = find_real(space, real), number = real;
  if (holder && !lives(holder)) remove_id_pair(space, {real, holder}), holder = 0;
  if (holder || space.group.virtual_number == real || space.session.virtual_number == real) {
    number = fresh_id(space);
    if (!insert_id_pair(space, {number, real})) sweep_ids(space, lives);
    if (!find_real(space, number) && !insert_id_pair(space, {number, real})) number = real;
  }
  birth = {real, number, start};
  return number;
}

}  // namespace mig
