// Virtual ids. Until the first restart every number is the kernel's own, and nothing is translated. After it, a table
// leads from the numbers the program knows to those of today and back.
//
// The table is the job's (image/ids.h). Each member enters its threads while they stand still; where the restart got the very
// numbers back, nothing is translated either. The control block is mapped again where it was (preload/job/job.cpp): a
// handler of the program may have interrupted a look at the old one.
//
// getpid and gettid are one load from thread-local memory. The caches are emptied in the child of fork and before vfork
// (whose child shares the memory of its parent, so it must not fill them: is_own_process()).
#include "preload/ids.h"

#include <errno.h>

#include "image/base/arena.h"
#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "preload/lasting.h"
#include "preload/mark.h"
#include "preload/save/process.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/tid_words.h"

namespace mig {

IdTables ids;

namespace {

int32_t noted_group, noted_session;

/// Children that were waited for. A SIGCHLD that tells of one may still be on its way to another thread, so its number is
/// known until as many others have been waited for.
constexpr uint32_t kRemembered = 64;
uint64_t reaped[kRemembered];
uint32_t reaped_count;

/// Where there is no control block the process has a table to itself.
bool have_space() {
  if (state.job) ids.space = &state.job->ids;
  else if (!ids.space) ids.space = static_cast<IdSpace*>(map_lasting_pages(sizeof(IdSpace)));
  return ids.space;
}

bool session_lives(int32_t real) {
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i)
    if (int32_t pid = state.job->members[i].pid; pid > 0 && sys(__NR_getsid, pid) == real) return true;
  return false;
}
bool group_lives(int32_t real) {
  return sys(__NR_kill, -real, 0) != -ESRCH || session_lives(real);
}
bool lives(int32_t real) {
  return sys(__NR_kill, real, 0) != -ESRCH || group_lives(real);
}

uint64_t start_of(int32_t task) {
  char path[64];
  Text(path) << "/proc/" << task << "/stat";
  return start_time(path);
}

void learn_outside(IdEntry IdSpace::*outside, int32_t number, long real) {
  IdEntry& e = ids.space->*outside;
  if (!number || number == real || find_real(*ids.space, number) || e.virtual_number) return;
  put_id_entry(&e, {number, static_cast<int32_t>(real)});
  __atomic_store_n(&ids.space->moved, 1, __ATOMIC_RELEASE);
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

MIG_UNSPLIT long call_with_capabilities(long number, __user_cap_header_struct* header, long data) {
  if (!ids.moved || !header) return sys(number, header, data);
  __user_cap_header_struct real{header->version, real_task(header->pid)};
  long r = sys(number, &real, data);
  header->version = real.version;
  return r;
}

MIG_UNSPLIT int32_t virtual_id(int32_t real) {
  return virtual_task(real);
}
MIG_UNSPLIT int32_t real_id(int32_t number) {
  return real_task(number);
}
MIG_UNSPLIT int32_t virtual_group(int32_t real) {
  return virtual_by(&IdSpace::group, real);
}
MIG_UNSPLIT int32_t virtual_session(int32_t real) {
  return virtual_by(&IdSpace::session, real);
}
MIG_UNSPLIT long real_clock(long clock) {
  return real_clock_inline(clock);
}

MIG_UNSPLIT bool is_own_process() {
  return sys(__NR_getpid) == ids.real_pid;
}

int32_t own_pid() {
  if (!is_own_process()) return adopt_new_task(static_cast<int32_t>(sys(__NR_getpid)));
  return cached_pid = state.vpid;
}
MIG_UNSPLIT int32_t own_tid_of_thread() {
  return cached_tid = virtual_task(static_cast<int32_t>(sys(__NR_gettid)));
}
int32_t own_tid() {
  return is_own_process() ? own_tid_of_thread() : adopt_new_task(static_cast<int32_t>(sys(__NR_gettid)));
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
  return noted_group = virtual_group(static_cast<int32_t>(sys(__NR_getpgid, 0)));
}
int32_t process_vsid() {
  return noted_session = virtual_session(static_cast<int32_t>(sys(__NR_getsid, 0)));
}

MIG_START void note_own_ids() {
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  state.vpid = ids.real_pid;
  state.vppid = static_cast<int32_t>(sys(__NR_getppid));
}

/// Only what its real parent's number does not tell must stay what it was.
MIG_UNSPLIT bool has_other_parent(int32_t number) {
  return virtual_task(static_cast<int32_t>(sys(__NR_getppid))) != number;
}

MIG_START void use_id_space() {
  bool fresh = state.job && !load(&state.job->generation);
  if (have_space()) __atomic_store_n(&ids.moved, !fresh && load(&ids.space->moved), __ATOMIC_RELEASE);
}

void adopt_own_ids(int32_t virtual_pid, int32_t virtual_parent) {
  state.vpid = virtual_pid, state.vppid = virtual_parent;
  ids.parent_fixed = has_other_parent(virtual_parent);
  cached_pid = cached_tid = 0;
  if (virtual_pid != ids.real_pid) set_first_tid(virtual_pid);
}

MIG_START void forget_own_ids() {
  forget_shown_tid();
  cached_pid = cached_tid = 0;
  ids.parent_fixed = false;
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  state.vpid = adopt_new_task(ids.real_pid);
  if (state.vpid != ids.real_pid) set_first_tid(state.vpid);
  Mark not_split;
  state.vppid = virtual_task(static_cast<int32_t>(sys(__NR_getppid)));
}

void learn_real_ids() {
  ids.moved = false;
  for (uint64_t& pair : reaped) pair = 0;
  ids.real_pid = static_cast<int32_t>(sys(__NR_getpid));
  if (!have_space()) return;
  {
    ScopedIdLock lock(*ids.space);
    for (uint32_t i = 0; i < load(&state.claimed); ++i)
      insert_id_pair(*ids.space, {slot_at(i)->record.vtid, slot_at(i)->real_tid});
    learn_outside(&IdSpace::group, noted_group, sys(__NR_getpgid, 0));
    learn_outside(&IdSpace::session, noted_session, sys(__NR_getsid, 0));
  }
  use_id_space();
  ids.parent_fixed = has_other_parent(state.vppid);
}

void remove_id(int32_t virtual_number, int32_t real) {
  if (!ids.space) return;
  ScopedIdLock lock(*ids.space);
  remove_id_pair(*ids.space, {virtual_number, real});
}

MIG_START int32_t adopt_new_task(int32_t real) {
  Mark not_split;
  if (!ids.moved || real <= 0 || !is_known_id(*ids.space, real)) return real;
  uint64_t start = start_of(real);
  if (!start) return virtual_id(real);
  ScopedIdLock lock(*ids.space);
  return adopt_id(*ids.space, real, start, lives);
}

void forget_child(int32_t number, int32_t real) {
  Mark not_split;
  if (!ids.moved || number <= 0 || find_real(*ids.space, number) != real) return;
  uint64_t* at = &reaped[__atomic_fetch_add(&reaped_count, 1, __ATOMIC_RELAXED) % kRemembered];
  uint64_t pair = static_cast<uint32_t>(number) | static_cast<uint64_t>(real) << 32;
  uint64_t before = __atomic_exchange_n(at, pair, __ATOMIC_RELAXED);
  IdEntry e{static_cast<int32_t>(before), static_cast<int32_t>(before >> 32)};
  if (!before || before == pair || find_real(*ids.space, e.virtual_number) != e.real_number || group_lives(e.real_number)) return;
  ScopedIdLock lock(*ids.space);
  remove_id_pair(*ids.space, e);
}

}  // namespace mig
