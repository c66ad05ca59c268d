// Threads: created again, given what the kernel keeps beside their memory, and released together.
//
// Each thread does for itself what only it can do (thread pointer, robust list, rseq, name, scheduling), says that it
// is ready, and waits. When all are, they jump into the library, each to the place where it had waited while
// the image was written; the library's own rt_sigreturn loads the rest of the registers.
#include "restore/threads.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/rseq.h>
#include <sched.h>
#include <sys/prctl.h>

#include "image/base/futex.h"
#include "image/records.h"
#include "restore/arch/x86_64/switch.h"
#include "restore/extended_state.h"
#include "restore/failure.h"
#include "restore/hold.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/meeting.h"

namespace mig {
namespace {

constexpr size_t kThreadStack = 8 << 10;
constexpr unsigned long kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
constexpr int64_t kReadyLimit = 60 * kSecond;

struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};

HomeArray<ThreadRecord> threads;
uint32_t ready, held = 1;
const char* refused_what;
long refused_result;

/// The first refusal is reported by the main thread, which can still give up.
void note_refusal(const char* what, long result) {
  const char* none = nullptr;
  if (__atomic_compare_exchange_n(&refused_what, &none, what, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) refused_result = result;
}

bool schedule_differs(const SchedAttr& now, const ThreadRecord& t) {
  return now.policy != t.policy || now.nice != t.nice || now.priority != t.priority || now.runtime != t.sched_runtime ||
         now.flags != t.sched_flags || now.deadline != t.sched_deadline || now.period != t.sched_period;
}

void set_scheduling(const ThreadRecord& t) {
  SchedAttr now{};
  sys(__NR_sched_getattr, 0, &now, sizeof now, 0);
  if (schedule_differs(now, t)) {
    SchedAttr a{sizeof a, t.policy, t.sched_flags, t.nice, t.priority, t.sched_runtime, t.sched_deadline, t.sched_period};
    a.size = 48;
    if (long r = sys(__NR_sched_setattr, 0, &a, 0); r < 0) note_refusal("the scheduling policy or priority of a thread", r);
    sys(__NR_setpriority, 0, 0, t.nice);  // SCHED_IDLE has a nice value too, but sched_setattr passes over it
  }
  uint64_t affinity[16] = {};
  sys(__NR_sched_getaffinity, 0, sizeof affinity, affinity);
  if (t.affinity_size && __builtin_memcmp(affinity, t.affinity, sizeof affinity) != 0)
    sys(__NR_sched_setaffinity, 0, t.affinity_size, t.affinity);
  if (t.io_priority > 0) sys(__NR_ioprio_set, 1, 0, t.io_priority);
  if (t.timer_slack) sys(__NR_prctl, PR_SET_TIMERSLACK, t.timer_slack, 0, 0, 0);
}

/// A kernel without rseq: the area says so, as libc would have written it, and libc asks by system call again.
void register_rseq(const ThreadRecord& t) {
  if (!t.rseq) return;
  long r = sys(__NR_rseq, t.rseq, t.rseq_size, 0, t.rseq_signature);
  if (r == -ENOSYS) {
    auto area = reinterpret_cast<struct rseq*>(t.rseq);
    area->cpu_id_start = 0;
    area->cpu_id = static_cast<uint32_t>(RSEQ_CPU_ID_REGISTRATION_FAILED);
    area->rseq_cs = 0;
  } else if (r < 0) {
    note_refusal("a thread's rseq area", r);
  }
}

void become(const ThreadRecord& t) {
  enter_extended_state(t);
  sys(__NR_arch_prctl, ARCH_SET_FS, t.fs_base);
  if (t.gs_base) sys(__NR_arch_prctl, ARCH_SET_GS, t.gs_base);
  sys(__NR_set_tid_address, t.clear_tid);
  if (t.robust_list) sys(__NR_set_robust_list, t.robust_list, t.robust_list_size);
  register_rseq(t);
  sys(__NR_prctl, PR_SET_NAME, t.name, 0, 0, 0);
  set_scheduling(t);
}

void announce(const ThreadRecord& t) {
  *reinterpret_cast<int32_t*>(t.real_tid_address) = static_cast<int32_t>(sys(__NR_gettid));
}

void run_thread(void* argument) {
  auto t = static_cast<const ThreadRecord*>(argument);
  announce(*t);
  become(*t);
  __atomic_fetch_add(&ready, 1, __ATOMIC_ACQ_REL);
  futex_wake(&ready);
  while (load(&held)) futex_wait(&held, 1, kSecond, true);
  futex_wake(&held, true);
  mig_jump(&t->context);
}

/// The main thread, when the program's has ended. The others take the stub's memory away as soon as they are released, so the kernel
/// releases one of them as this one ends (CLONE_CHILD_CLEARTID: it writes 0 and wakes one), and each wakes the next.
[[noreturn]] void end_and_release() {
  sys(__NR_set_tid_address, &held);
  for (;;) sys(__NR_exit, 0);
}

const ThreadRecord* main_thread() {
  for (const ThreadRecord& t : threads)
    if (t.flags & kThreadMain) return &t;
  give_up(Error::kChecksum, image.path(), "it has no main thread");
}

}  // namespace

void create_threads() {
  image.each(RecordType::kThread, [](const RecordHeader* h) { threads.push(record_as<ThreadRecord>(h)); });
  uint32_t created = 0;
  for (const ThreadRecord& t : threads) {
    if (t.flags & kThreadMain) continue;
    auto stack = static_cast<char*>(home_memory(kThreadStack)) + kThreadStack;
    long tid = mig_clone(kThreadFlags, stack, run_thread, const_cast<ThreadRecord*>(&t));
    if (failed(tid)) give_up(Error::kResourceFailed, "a thread", "create", tid);
    ++created;
  }
  announce(*main_thread());
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kReadyLimit;
  for (uint32_t n; (n = load(&ready)) < created;) {
    if (clock_now(CLOCK_MONOTONIC) > deadline) give_up(Error::kInternal, "a thread", "it did not become ready");
    futex_wait(&ready, n, 100 * kMillisecond);
  }
}

void release_all_threads() {
  const ThreadRecord& t = *main_thread();
  if (!(t.flags & kThreadDead)) become(t);
  if (refused_what) give_up(Error::kNotPermitted, refused_what, "set", refused_result);
  if (is_first_process()) wait_for_go();
  meet(RebirthStep::kRestored);
  end_messages();
  if (t.flags & kThreadDead) end_and_release();
  store(&held, 0);
  futex_wake(&held, true);
  mig_jump(&t.context);
}

}  // namespace mig
