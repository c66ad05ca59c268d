// What a thread is made of, seen by the thread itself while it is stopped.
//
// General registers, extended state and the signal mask stand in the signal frame on the program's stack: they
// travel as memory and the thread's own rt_sigreturn loads them again, here or on the next host. What is left is
// what the kernel keeps beside: the thread-local base, robust list, the address it clears at the end, rseq,
// scheduling and the name.
//
// rseq: glibc >= 2.35 exports where its area is (__rseq_offset from the thread pointer); whether the kernel has it
// is asked by registering it again: EBUSY means yes. Found by trying: the size registered is 32 whatever
// __rseq_size says (it is 0 where registration is disabled by tunable).
// PR_GET_TID_ADDRESS needs CONFIG_CHECKPOINT_RESTORE; without it the main thread's own word is found by its value.
#include "preload/save/threads.h"

#include <asm/prctl.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/save/thread_rights.h"
#include "preload/stop/calls.h"
#include "preload/stop/pending.h"
#include "preload/symbols.h"
#include "preload/tid_words.h"
#include "preload/times.h"

namespace mig {
namespace {

constexpr uint32_t kRseqSignature = 0x53053053;
constexpr uint32_t kRseqSize = 32;

long rseq_offset = 0;
bool has_rseq = false;

struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};

void describe_rseq(ThreadRecord& r) {
  if (!has_rseq) return;
  auto area = static_cast<uint64_t>(static_cast<int64_t>(r.fs_base) + rseq_offset);
  long result = sys(__NR_rseq, area, kRseqSize, 0, kRseqSignature);
  if (result == 0) sys(__NR_rseq, area, kRseqSize, 1, kRseqSignature);
  if (result != -EBUSY) return;
  r.rseq = area;
  r.rseq_size = kRseqSize;
  r.rseq_signature = kRseqSignature;
}

void describe_scheduling(ThreadRecord& r) {
  SchedAttr a{};
  a.size = sizeof a;
  if (sys(__NR_sched_getattr, 0, &a, sizeof a, 0) == 0) {
    r.policy = a.policy, r.priority = a.priority, r.nice = a.nice, r.sched_flags = a.flags;
    r.sched_runtime = a.runtime, r.sched_deadline = a.deadline, r.sched_period = a.period;
  }
  long n = sys(__NR_sched_getaffinity, 0, sizeof r.affinity, r.affinity);
  r.affinity_size = n > 0 ? static_cast<uint32_t>(n) : 0;
  r.timer_slack = static_cast<uint64_t>(sys(__NR_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0));
  r.io_priority = static_cast<int32_t>(sys(__NR_ioprio_get, 1, 0));
}

}  // namespace

void learn_thread_layout() {
  auto offset = static_cast<long*>(next_symbol("__rseq_offset"));
  if (!offset) return;
  rseq_offset = *offset;
  has_rseq = true;
}

void describe_thread(ThreadSlot* slot) {
  ThreadRecord& r = slot->record;
  slot->at = program_clock();
  slot->generation = state.generation;
  note_thread_signals(slot);
  auto tid = static_cast<int32_t>(sys(__NR_gettid));
  slot->stopped_tid = tid;
  slot->rights = thread_rights();
  r.vtid = virtual_id(tid);
  if (tid == sys(__NR_getpid)) r.flags |= kThreadMain;
  r.real_tid_address = reinterpret_cast<uint64_t>(&slot->real_tid);
  sys(__NR_arch_prctl, ARCH_GET_FS, &r.fs_base);
  sys(__NR_arch_prctl, ARCH_GET_GS, &r.gs_base);
  r.frame = reinterpret_cast<uint64_t>(slot->frame);
  sys(__NR_prctl, PR_GET_TID_ADDRESS, &r.clear_tid, 0, 0, 0);
  sys(__NR_get_robust_list, 0, &r.robust_list, &r.robust_list_size);
  describe_rseq(r);
  r.signal_mask = *reinterpret_cast<uint64_t*>(&slot->frame->uc_sigmask);
  r.alternate_stack = reinterpret_cast<uint64_t>(slot->frame->uc_stack.ss_sp);
  r.alternate_stack_size = slot->frame->uc_stack.ss_size;
  r.alternate_stack_flags = static_cast<uint32_t>(slot->frame->uc_stack.ss_flags);
  describe_scheduling(r);
  int death = 0;
  sys(__NR_prctl, PR_GET_PDEATHSIG, &death, 0, 0, 0);
  r.parent_death_signal = death;
  r.cpu_time = earlier_thread_time + clock_now(CLOCK_THREAD_CPUTIME_ID);
  r.system_call = -1;
  sys(__NR_prctl, PR_GET_NAME, r.name, 0, 0, 0);
}

void describe_dead_thread(ThreadSlot* slot) {
  slot->stopped_tid = slot->real_tid;
  slot->record.vtid = virtual_id(slot->real_tid);
  slot->record.flags = kThreadDead | kThreadMain;
  slot->record.system_call = -1;
  slot->record.real_tid_address = reinterpret_cast<uint64_t>(&slot->real_tid);
}

void thread_came_back(ThreadSlot* slot) {
  earlier_thread_time = slot->record.cpu_time;
  renew_tid_word(slot->record.vtid);
  watch_thread_end();
}

void resume_thread(ThreadSlot* slot) {
  if (slot->back) thread_came_back(slot);
  return_thread_signals(slot);
  continue_call(*slot);
}

}  // namespace mig
