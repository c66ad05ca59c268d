// The table of members in the job's control block.
//
// A place is taken, filled, and only then shown by its pid: whoever reads a pid may read the rest.
//
// A child of fork enters by itself, and its parent's entry stands for it until then (kMemberBirth). A program that posix_spawn or
// vfork has started is entered by its parent, as one that executes: the parent may end before the program's constructor runs, and
// nobody would know of the program. The constructor may be faster; each of the two looks for the other's entry after it has
// made its own, and what goes is the parent's.
#include "preload/job/members.h"

#include <errno.h>

#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "preload/ids.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/wrap/confined.h"

namespace mig {
namespace {

constexpr int32_t kPassedOver = 16;  ///< places in use before those of the dead are taken as well
constexpr uint32_t kCountStep = 32;  ///< of member_count; so many stand in the first page
constexpr int32_t kNotShown = -1;    ///< in the place of a pid: the entry is being filled or freed

uint32_t known_count;  ///< member_count has reached this

bool is_alive(int32_t pid) {
  return pid > 0 && sys(__NR_kill, pid, 0) != -ESRCH;
}

/// Of the process, beside the one at `but`; -1: any.
MIG_START Member* entry_of(int32_t pid, int32_t but = -1) {
  uint32_t count = member_count();
  for (uint32_t i = 0; i < count; ++i)
    if (Member& m = state.job->members[i]; static_cast<int32_t>(i) != but && __atomic_load_n(&m.pid, __ATOMIC_SEQ_CST) == pid)
      return &m;
  return nullptr;
}

MIG_START bool claim(Member& m, bool of_the_dead) {
  if (of_the_dead && m.pid > 0 && !is_alive(m.pid)) free_entry(m, m.pid);
  int32_t none = 0;
  return __atomic_compare_exchange_n(&m.pid, &none, kNotShown, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/// A place, looked for from `first` on: a free one if there is one near, else also that of a process that was killed. Place 0
/// is the first program's for ever.
MIG_START int32_t claim_place(int32_t first) {
  for (int32_t n = 0; n < kMaxMembers; ++n) {
    int32_t at = (first + n) % kMaxMembers;
    if ((at || !first) && claim(state.job->members[at], n >= kPassedOver)) return at;
  }
  return -1;
}

/// Grows in steps, so that few processes write to it.
MIG_START void count_member(int32_t at) {
  auto wanted = static_cast<uint32_t>(at) / kCountStep * kCountStep + kCountStep;
  uint32_t now = known_count < wanted ? load(&state.job->member_count) : wanted;
  while (now < wanted &&
         !__atomic_compare_exchange_n(&state.job->member_count, &now, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
  known_count = now;
}

MIG_START void show(int32_t at, int32_t pid, int32_t vpid, int32_t vppid, uint32_t flags) {
  count_member(at);
  Member& m = state.job->members[at];
  m.vpid = vpid, m.vppid = vppid;
  m.vpgid = m.vsid = 0;
  m.flags = flags;
  m.progress = 0;
  m.start = start_time_now();
  __atomic_store_n(&m.pid, pid, __ATOMIC_SEQ_CST);
}

uint32_t inherited_flags() {
  return (state.landlocked ? kMemberLandlocked : 0) | (is_confined() ? kMemberConfined : 0);
}

}  // namespace

MIG_START uint32_t member_count() {
  uint32_t count = load(&state.job->member_count);
  return count < kMaxMembers ? count : kMaxMembers;
}
MIG_START void forget_member_count() {
  known_count = 0;
}

MIG_START Member* own_entry() {
  return entry_of(static_cast<int32_t>(sys(__NR_getpid)));
}

/// Only an entry that does not execute, or has other ids than the kernel's, is worth a look at the start time. One that executes
/// may have been left by an earlier process too.
MIG_START bool adopt_own_entry(Member* m) {
  bool moved = m->vpid != m->pid, by_parent = !m->vppid;
  if ((moved || !(m->flags & kMemberExecuting)) && m->start < own_start_time()) return false;
  __atomic_store_n(&m->start, start_time_now(), __ATOMIC_RELEASE);
  state.landlocked = m->flags & kMemberLandlocked;
  use_id_space();
  if (ids.moved) adopt_own_ids(m->vpid, by_parent ? virtual_id(state.vppid) : m->vppid);
  if (by_parent) m->vppid = state.vppid;
  state.member = static_cast<int32_t>(m - state.job->members);
  adopt_confinement(*m);
  return true;
}

MIG_START void enter_member(int32_t first) {
  state.member = claim_place(first);
  if (state.member >= 0) show(state.member, static_cast<int32_t>(sys(__NR_getpid)), state.vpid, state.vppid, inherited_flags());
}

MIG_START void free_twin() {
  auto pid = static_cast<int32_t>(sys(__NR_getpid));
  if (Member* twin = state.member < 0 ? nullptr : entry_of(pid, state.member)) free_entry(*twin, pid);
}

/// What its parent's number is, the program finds out by itself: it may have become another's child.
void enter_started(int32_t real, int32_t number) {
  int32_t at = claim_place(state.member + 1);
  if (at < 0) return;
  show(at, real, number, 0, inherited_flags() | kMemberExecuting);
  if (entry_of(real, at) || !is_process_alive(real, 0)) free_entry(state.job->members[at], real);
}

MIG_START bool is_parent_landlocked() {
  Member* m = entry_of(static_cast<int32_t>(sys(__NR_getppid)));
  return m && (load(&m->flags) & kMemberLandlocked);
}

void free_entry(Member& m, int32_t pid) {
  if (!__atomic_compare_exchange_n(&m.pid, &pid, kNotShown, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
  __atomic_store_n(&m.start, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&m.pid, 0, __ATOMIC_RELEASE);
}

MIG_START void end_birth(Member& m, int32_t pid) {
  if (__atomic_load_n(&m.pid, __ATOMIC_ACQUIRE) != pid) return;
  uint32_t flags = load(&m.flags);
  while (flags >= kMemberBirth &&
         !__atomic_compare_exchange_n(&m.flags, &flags, flags - kMemberBirth, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
  if (flags >= kMemberBirth && flags - kMemberBirth < kMemberBirth && (flags & kMemberLeft)) free_entry(m, pid);
}

MIG_START bool others_live() {
  for (uint32_t i = 0; i < member_count(); ++i)
    if (is_alive(state.job->members[i].pid)) return true;
  return false;
}

}  // namespace mig
