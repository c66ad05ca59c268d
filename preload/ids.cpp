// Virtual ids. Until the first restart every number is the kernel's own, and nothing is translated. After it, a table
// leads from the numbers the program knows to those of today and back.
//
// The table is built while all threads stand still and is never unmapped: a thread may have been stopped while it read
// the old one. Where the restart got the very numbers back, nothing is translated either.
//
// getpid and gettid are one load from thread-local memory. The caches are emptied in the child of fork and before vfork
// (whose child shares the memory of its parent, so it must not fill them: is_own_process()).
#include "preload/ids.h"

#include "image/base/arena.h"
#include "image/base/futex.h"
#include "preload/process.h"
#include "preload/state.h"
#include "preload/tid_words.h"

namespace mig {

IdTables ids;

namespace {

int32_t next_fresh = kFirstFreshId;
IdEntry noted_group, noted_session;
uint32_t table_lock;

MIG_INLINE uint64_t word_of(IdEntry e) {
  return static_cast<uint32_t>(e.virtual_number) | static_cast<uint64_t>(static_cast<uint32_t>(e.real_number)) << 32;
}
void put(IdEntry* at, IdEntry e) {
  __atomic_store_n(reinterpret_cast<uint64_t*>(at), word_of(e), __ATOMIC_RELEASE);
}

bool insert(IdEntry* table, int32_t key, IdEntry e) {
  for (uint32_t i = id_hash(key), n = 0; n <= ids.mask; ++i, ++n) {
    IdEntry* at = &table[i & ids.mask];
    if (at->virtual_number > 0) continue;
    put(at, e);
    return true;
  }
  return false;
}

/// Room for `count` entries and as many to come; what was there is forgotten.
bool make_tables(uint32_t count) {
  uint32_t size = 256;
  while (size < count * 4) size *= 2;
  if (!ids.by_virtual || ids.mask + 1 < size) {
    auto memory = static_cast<IdEntry*>(map_pages(size_t{2} * size * sizeof(IdEntry)));
    if (!memory) return false;
    ids.by_real = memory + size;
    ids.mask = size - 1;
    ids.by_virtual = memory;
    return true;
  }
  for (uint32_t i = 0; i < 2 * (ids.mask + 1); ++i) put(&ids.by_virtual[i], {0, 0});
  return true;
}

/// The place of an entry in a table, or a free one for it.
MIG_INLINE IdEntry* find_place(IdEntry* table, int32_t key, IdEntry e, bool add) {
  for (uint32_t i = id_hash(key), n = 0; n <= ids.mask; ++i, ++n) {
    IdEntry* at = &table[i & ids.mask];
    if (add ? at->virtual_number <= 0 : word_of(*at) == word_of(e)) return at;
    if (!at->virtual_number) break;
  }
  return nullptr;
}

/// Rare and short: threads of a restarted process that begin or end.
MIG_UNSPLIT bool change(IdEntry e, bool add) {
  while (__atomic_exchange_n(&table_lock, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
  IdEntry* places[] = {find_place(ids.by_virtual, e.virtual_number, e, add), find_place(ids.by_real, e.real_number, e, add)};
  bool ok = places[0] && places[1];
  if (ok)
    for (IdEntry* at : places) __atomic_store_n(reinterpret_cast<uint64_t*>(at), add ? word_of(e) : ~0UL, __ATOMIC_RELEASE);
  __atomic_store_n(&table_lock, 0, __ATOMIC_RELEASE);
  return ok;
}

void add_pair(int32_t virtual_number, int32_t real) {
  IdEntry e{virtual_number, real};
  insert(ids.by_virtual, virtual_number, e);
  insert(ids.by_real, real, e);
  if (virtual_number != real) ids.moved = true;
}

}  // namespace

MIG_UNSPLIT long call_with_ids(const IdCall& call, long number, long a, long b, long c, long d, long e, long f) {
  if (ids.moved) {
    a = to_real(call.argument[0], a), b = to_real(call.argument[1], b), c = to_real(call.argument[2], c);
    d = to_real(call.argument[3], d), e = to_real(call.argument[4], e), f = to_real(call.argument[5], f);
  }
  long r = sys6(number, a, b, c, d, e, f);
  return failed(r) ? r : to_virtual(call.result, r);
}

MIG_UNSPLIT int32_t virtual_id(int32_t real) {
  return virtual_task(real);
}
MIG_UNSPLIT int32_t real_id(int32_t number) {
  return real_task(number);
}
MIG_UNSPLIT int32_t virtual_group(int32_t real) {
  return virtual_by(ids.group, real);
}
MIG_UNSPLIT int32_t virtual_session(int32_t real) {
  return virtual_by(ids.session, real);
}
MIG_UNSPLIT long real_clock(long clock) {
  return real_clock_inline(clock);
}

MIG_UNSPLIT bool is_own_process() {
  return sys(__NR_getpid) == ids.real_pid;
}

MIG_UNSPLIT int32_t own_pid() {
  auto real = static_cast<int32_t>(sys(__NR_getpid));
  if (real != ids.real_pid) return real;
  return cached_pid = state.vpid;
}
MIG_UNSPLIT int32_t own_tid() {
  auto real = static_cast<int32_t>(sys(__NR_gettid));
  if (sys(__NR_getpid) != ids.real_pid) return real;
  return cached_tid = virtual_task(real);
}
MIG_UNSPLIT int32_t own_parent() {
  auto real = static_cast<int32_t>(sys(__NR_getppid));
  return ids.parent_fixed && sys(__NR_getpid) == ids.real_pid ? state.vppid : virtual_task(real);
}

int32_t process_vpid() {
  return state.vpid;
}
int32_t process_vppid() {
  return state.vppid = own_parent();
}
int32_t process_vpgid() {
  return noted_group.virtual_number = virtual_group(static_cast<int32_t>(sys(__NR_getpgid, 0)));
}
int32_t process_vsid() {
  return noted_session.virtual_number = virtual_session(static_cast<int32_t>(sys(__NR_getsid, 0)));
}

void note_own_ids() {
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  state.vpid = ids.real_pid;
  state.vppid = static_cast<int32_t>(sys(__NR_getppid));
}

void adopt_own_ids(int32_t virtual_pid, int32_t virtual_parent) {
  if (virtual_pid == ids.real_pid || !make_tables(1)) return;
  add_pair(virtual_pid, ids.real_pid);
  state.vpid = virtual_pid, state.vppid = virtual_parent;
  ids.parent_fixed = true;
  cached_pid = cached_tid = 0;
  set_first_tid(virtual_pid);
}

void forget_own_ids() {
  forget_shown_tid();
  cached_pid = cached_tid = 0;
  ids.parent_fixed = false;
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  state.vpid = ids.real_pid;
  state.vppid = own_parent();
}

void learn_real_ids() {
  uint32_t claimed = load(&state.claimed);
  ids.moved = false;
  table_lock = 0;
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  ids.parent_fixed = true;
  if (!make_tables(claimed)) return;
  for (uint32_t i = 0; i < claimed; ++i) add_pair(slot_at(i)->record.vtid, slot_at(i)->real_tid);
  ids.group = {noted_group.virtual_number, static_cast<int32_t>(sys(__NR_getpgid, 0))};
  ids.session = {noted_session.virtual_number, static_cast<int32_t>(sys(__NR_getsid, 0))};
  if (ids.group.virtual_number != ids.group.real_number || ids.session.virtual_number != ids.session.real_number)
    ids.moved = true;
}

bool add_id(int32_t virtual_number, int32_t real) {
  return ids.by_virtual && change({virtual_number, real}, true);
}
void remove_id(int32_t virtual_number, int32_t real) {
  if (ids.by_virtual) change({virtual_number, real}, false);
}
int32_t fresh_virtual_id() {
  return __atomic_fetch_add(&next_fresh, 1, __ATOMIC_RELAXED);
}

}  // namespace mig
