// Stopping every thread of the process.
//
// The thread that takes the request (the leader) lists /proc/self/task, notes for each thread which system call
// it is blocked in (/proc/self/task/TID/syscall: this must be read *before* the signal ends the call), sends it
// the stop signal with this stop's number as its value, and repeats until a whole pass finds nobody new. A thread
// that takes the signal moves to a small stack of ours, fills in its record, and waits on `state.stop`. The last of those that the
// leader waits for wakes it; in between it looks at nothing, for each look costs as much as there are threads.
//
// Threads that must not be stopped where they are (inside the kernel's vDSO, whose code differs on the next
// kernel, inside a wrapper that is marked, or inside libc's mutexes: preload/wrap/pi_mutexes.cpp) return at once and are signalled
// again. Whoever returns at once continues its system call as one that was stopped does. If it is the thread that took the request, a timer of 50 us repeats the request: a program that does nothing but clock_gettime is nearly always there.
//
// The stop signal is 33, which glibc keeps for itself (SIGSETXID): no program can block, ignore or wait for it, not even
// one that blocks every signal, and glibc's own helper threads leave it open. Its action is ours only for the length
// of a stop; a genuine one that arrives meanwhile is handed to glibc's handler. The request stays MIG_SIGNAL.
//
// Tried: signals without a number. A stop signal that is still queued when the leader gives up would then start
// a checkpoint of its own later. rt_tgsigqueueinfo to one's own process may carry any value, so it does.
#include "preload/stop/stop.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "image/base/file.h"
#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/job/cut.h"
#include "preload/lasting.h"
#include "preload/late.h"
#include "preload/mark.h"
#include "preload/save/thread_rights.h"
#include "preload/save/threads.h"
#include "preload/start.h"
#include "preload/stop/calls.h"
#include "preload/stop/checkpoint.h"
#include "preload/stop/pending.h"
#include "preload/stop/period.h"
#include "preload/stop/stopped.h"
#include "preload/times.h"
#include "preload/unsplit.h"
#include "preload/wrap/child_waits.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/errand.h"
#include "preload/wrap/executing.h"
#include "preload/wrap/pi_mutexes.h"

extern "C" void mig_signal_entry(int, siginfo_t*, void*);
extern "C" void mig_signal_return();
extern "C" int mig_save_context(mig::CallContext*) __attribute__((returns_twice));

namespace mig {
namespace {

constexpr uint32_t kNoteSignals = 1, kReturnSignals = 2;
constexpr int kStopCode = SI_QUEUE;
constexpr int64_t kLeaveLimit = 60 * kSecond;
constexpr long kRequestDelay = 50'000;
constexpr uint64_t kStopMagic = 0x4d49470000000000;

struct Target {
  int32_t tid;
  uint32_t signalled;  ///< times
  uint32_t settled;    ///< parked, dead, or the leader itself
  BlockedCall blocked;
};

struct KernelAction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

char* leader_stack;        ///< kLeaderStack bytes, mapped when the first request comes
uint32_t awaited;          ///< so many of `state.parked` the leader waits for: only the last of them wakes it
KernelAction libc_action;  ///< of the stop signal, while ours is in its place

bool is_stop_signal(const siginfo_t* info) {
  return info->si_code == kStopCode && (reinterpret_cast<uint64_t>(info->si_value.sival_ptr) & 0xffffff0000000000) == kStopMagic;
}

bool of_this_stop(const siginfo_t* info) {
  return reinterpret_cast<uint64_t>(info->si_value.sival_ptr) == (kStopMagic | (state.stop_number & 0xffffffffff));
}

bool must_not_stop_here(const ucontext_t* frame) {
  auto pc = static_cast<uint64_t>(frame->uc_mcontext.gregs[REG_RIP]);
  return (pc >= state.vdso_start && pc < state.vdso_end) ||
         (in_unsplit(pc) && !is_in_child_wait(Frame(const_cast<ucontext_t*>(frame)))) || in_pi_code(pc) || mark_depth() != 0;
}

long send_stop(int32_t tid) {
  siginfo_t info{};
  info.si_signo = kStopSignal;
  info.si_code = kStopCode;
  info.si_pid = static_cast<pid_t>(sys(__NR_getpid));
  info.si_value.sival_ptr = reinterpret_cast<void*>(kStopMagic | (state.stop_number & 0xffffffffff));
  return sys(__NR_rt_tgsigqueueinfo, info.si_pid, tid, kStopSignal, &info);
}

BlockedCall blocked_call(int32_t tid) {
  BlockedCall call{};
  call.number = -1;
  char path[64], text[256];
  Text(path) << "/proc/self/task/" << tid << "/syscall";
  if (read_text(path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9') return call;
  Scan scan(text);
  call.number = scan.number();
  for (uint64_t& a : call.args) a = scan.hex();
  call.stack_pointer = scan.hex();
  call.program_counter = scan.hex();
  return call;
}

/// The state letter of a thread, or 'X' when it is gone.
char thread_state(int32_t tid) {
  char path[64];
  Text(path) << "/proc/self/task/" << tid << "/stat";
  return state_letter(path);
}

/// Threads of this process, found by tid. Memory: one mapping that lives as long as the stop.
class Targets {
 public:
  ~Targets() { targets_.clear(); }
  Target* find(int32_t tid) {
    for (uint32_t i = hash(tid);; i = (i + 1) & mask_) {
      if (!index_.size() || !index_[i]) return nullptr;
      if (targets_[index_[i] - 1].tid == tid) return &targets_[index_[i] - 1];
    }
  }
  Target* add(int32_t tid) {
    if ((targets_.size() + 1) * 2 > index_.size() && !grow()) return nullptr;
    Target* t = targets_.add();
    if (!t) return nullptr;
    t->tid = tid;
    insert(static_cast<uint32_t>(targets_.size()));
    return t;
  }
  size_t size() const { return targets_.size(); }
  Target* begin() { return targets_.begin(); }
  Target* end() { return targets_.end(); }

 private:
  uint32_t hash(int32_t tid) const { return (static_cast<uint32_t>(tid) * 2654435761u) & mask_; }
  void insert(uint32_t position) {
    uint32_t i = hash(targets_[position - 1].tid);
    while (index_[i]) i = (i + 1) & mask_;
    index_[i] = position;
  }
  bool grow() {
    size_t size = index_.size() ? index_.size() * 2 : 1024;
    index_.clear();
    if (!index_.add(size)) return false;
    mask_ = static_cast<uint32_t>(size - 1);
    for (uint32_t i = 1; i <= targets_.size(); ++i) insert(i);
    return true;
  }
  Array<Target> targets_;
  Array<uint32_t> index_;
  uint32_t mask_ = 0;
};

/// A slot counts as taken when its tid is there: not one that was left by an earlier stop.
void empty_slots() {
  for (uint32_t i = 0; i < state.slot_count; ++i)
    if (slot_at(i)->real_tid) slot_at(i)->real_tid = 0;
}

/// Behind the slots stands a ring with room for as many threads that bounce: each does so once before it is signalled again.
size_t slots_size(size_t count) {
  return count * (kSlotSize + sizeof(int32_t));
}
int32_t* bounced_entry(uint32_t number) {
  return reinterpret_cast<int32_t*>(state.slots + state.slot_count * kSlotSize) + number % state.slot_count;
}

bool ensure_slots(size_t threads) {
  size_t wanted = threads + threads / 4 + 16;
  if (state.slot_count >= wanted) return true;
  if (load(&state.claimed)) return false;
  unmap_pages(state.slots, slots_size(state.slot_count));
  state.slot_count = 0;
  state.slots = static_cast<char*>(map_lasting_pages(slots_size(wanted)));
  if (!state.slots) return false;
  state.slot_count = static_cast<uint32_t>(wanted);
  return true;
}

size_t count_threads(int task_dir) {
  size_t n = 0;
  sys(__NR_lseek, task_dir, 0L, SEEK_SET);
  each_entry(task_dir, [&](const char*, unsigned char) { return ++n; });
  return n;
}

void take_dead_main(int32_t tid) {
  uint32_t index = __atomic_fetch_add(&state.claimed, 1, __ATOMIC_ACQ_REL);
  if (index >= state.slot_count) return;
  ThreadSlot* slot = slot_at(index);
  memset(slot, 0, sizeof *slot);
  slot->real_tid = tid;
  slot->dead = 1;
  describe_dead_thread(slot);
  __atomic_fetch_add(&state.parked, 1, __ATOMIC_ACQ_REL);
}

/// One look at all threads: signals those that are new or were let go again. Returns how many are not settled. Only the main
/// thread stays in the list when it has ended.
long pass(int task_dir, Targets& targets) {
  long open = 0, main = sys(__NR_getpid);
  bool memory = true;
  sys(__NR_lseek, task_dir, 0L, SEEK_SET);
  long r = each_entry(task_dir, [&](const char* name, unsigned char) {
    auto tid = static_cast<int32_t>(Scan(name).number());
    Target* t = targets.find(tid);
    if (!t) {
      if (targets.size() >= state.slot_count) return ++open > 0;
      t = targets.add(tid);
      if (!t) return memory = false;
      if (tid == state.leader_tid) t->settled = 1;
    }
    if (t->settled) return true;
    if (!t->signalled) {
      if (char letter = tid == main ? thread_state(tid) : '\0'; letter == 'Z' || letter == 'X') {
        t->settled = 1;
        take_dead_main(tid);
        return true;
      }
      t->blocked = blocked_call(tid);
      t->signalled = 1;
      long sent = send_stop(tid);
      if (sent == -ESRCH) t->settled = 1;
      else if (sent < 0) t->signalled = 0;
    }
    open += !t->settled;
    return true;
  });
  if (!memory || r < 0) return -1;
  return open;
}

/// Marks the targets whose threads have parked, and gives each slot the blocked call its thread was seen in.
void settle(Targets& targets, uint32_t& settled_slots) {
  uint32_t claimed = load(&state.claimed);
  if (claimed > state.slot_count) claimed = state.slot_count;
  for (uint32_t i = settled_slots; i < claimed; ++i) {
    ThreadSlot* slot = slot_at(i);
    int32_t tid = __atomic_load_n(&slot->real_tid, __ATOMIC_ACQUIRE);
    if (!tid) return;
    Target* t = targets.find(tid);
    if (!t) return;
    t->settled = 1;
    slot->blocked = t->blocked;
    settled_slots = i + 1;
  }
}

uint32_t unsettled(Targets& targets) {
  uint32_t n = 0;
  for (const Target& t : targets) n += !t.settled;
  return n;
}

/// Until all that were signalled have parked. False: for a moment nothing has happened, or a thread has bounced.
bool await_parked(Targets& targets, uint32_t& settled_slots, uint32_t bounced) {
  for (uint32_t before = ~0u;;) {
    uint32_t parked = load(&state.parked);
    settle(targets, settled_slots);
    uint32_t missing = unsettled(targets);
    if (!missing) return true;
    if (parked == before || load(&state.bounced) != bounced) return false;
    before = parked;
    store(&awaited, settled_slots + missing);
    futex_wait(&state.parked, parked, kMillisecond);
  }
}

void forget_gone(Targets& targets) {
  for (Target& t : targets)
    if (!t.settled && t.signalled) {
      char letter = thread_state(t.tid);
      if (letter != 'Z' && letter != 'X') continue;
      t.settled = 1;
      if (t.tid == sys(__NR_getpid)) take_dead_main(t.tid);
    }
}

bool name_the_stubborn(Targets& targets) {
  for (Target& t : targets)
    if (!t.settled) {
      char object[96];
      Text text(object);
      text << "thread " << t.tid << " (state ";
      text.put(thread_state(t.tid)) << ")";
      return refuse(Error::kThreadDoesNotStop, object,
                    "it does not take the stop signal: it sits in an uninterruptible system call or blocks the signal");
    }
  return refuse(Error::kThreadDoesNotStop, "a thread", "threads appear faster than they can be stopped");
}

/// Threads that returned from the stop signal without waiting are due for another one.
void take_bounced(Targets& targets, uint32_t& seen) {
  for (; seen != load(&state.bounced); ++seen) {
    int32_t tid;
    while (!(tid = __atomic_exchange_n(bounced_entry(seen), 0, __ATOMIC_ACQ_REL))) sys(__NR_sched_yield);
    if (Target* t = targets.find(tid)) t->signalled = 0;
  }
}

bool gather(int task_dir, Targets& targets) {
  uint32_t settled = 1, bounced = 0;
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + state.stop_limit;
  for (;;) {
    size_t known = targets.size();
    long open = pass(task_dir, targets);
    if (open < 0) return refuse(Error::kPendingLost, "the list of threads", "the kernel gave no memory for it");
    settle(targets, settled);
    take_bounced(targets, bounced);
    if (!open && targets.size() == known) return true;
    if (open && targets.size() == known && !await_parked(targets, settled, bounced)) forget_gone(targets);
    if (clock_now(CLOCK_MONOTONIC) > deadline) return name_the_stubborn(targets);
  }
}

/// A thread that has parked after the leader gave up, or that is parking now, sees `state.stop` change. All must have
/// left before their slots are given out again; on a busy machine (seen with 40 threads per CPU) that takes seconds.
void wait_until_all_left(uint32_t claimed) {
  uint32_t leaving = 0;
  for (uint32_t i = 1; i < claimed && i < state.slot_count; ++i) leaving += !slot_at(i)->dead;
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kLeaveLimit;
  while (load(&state.left) < leaving && clock_now(CLOCK_MONOTONIC) < deadline) sys(__NR_sched_yield);
}

void look_again(ThreadSlot* slot) {
  if (load(&slot->look_again) == kReturnSignals) return_thread_signals(slot);
  else note_thread_signals(slot);
  store(&slot->look_again, 0);
  futex_wake(&slot->look_again);
}

/// A thread that stands still works on its own queue.
void let_look(ThreadSlot* slot, uint32_t what) {
  store(&slot->look_again, what);
  futex_wake(&state.stop);
  while (load(&slot->look_again)) futex_wait(&slot->look_again, what, kMillisecond);
}

void park(ThreadSlot* slot, ucontext_t* frame) {
  slot->frame = frame;
  describe_thread(slot);
  if (!mig_save_context(&slot->record.context)) {
    __atomic_store_n(&slot->real_tid, static_cast<int32_t>(sys(__NR_gettid)), __ATOMIC_RELEASE);
    uint32_t parked = __atomic_add_fetch(&state.parked, 1, __ATOMIC_ACQ_REL);
    if (parked >= load(&awaited)) futex_wake(&state.parked);
  } else {
    slot->back = 1;
    __atomic_fetch_add(&state.returned, 1, __ATOMIC_ACQ_REL);
    futex_wake(&state.returned);
  }
  while (load(&state.stop) == kStopping) {
    if (load(&slot->look_again)) look_again(slot);
    futex_wait(&state.stop, kStopping, kSecond);
  }
  run_errand();
  resume_thread(slot);
}

/// The main thread, or this one when that has ended.
int32_t lasting_thread() {
  auto main = static_cast<int32_t>(sys(__NR_getpid));
  char letter = thread_state(main);
  return letter == 'Z' || letter == 'X' ? static_cast<int32_t>(sys(__NR_gettid)) : main;
}

/// Asks for the request again a moment later, from a timer that is deleted when its signal arrives.
///
/// The signal is for one thread, and for one that does not end soon. One for the process wakes any thread that lets it
/// through while this handler still blocks it; this thread takes it first as the handler ends, and the other comes out of
/// epoll_wait, sigtimedwait or a socket with a timeout with EINTR although no handler runs in it.
void request_again(const siginfo_t* info) {
  sigevent event{};
  event.sigev_value = info->si_value;
  event.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID;
  event.sigev_signo = state.signal;
  event._sigev_un._tid = lasting_thread();
  itimerspec soon{{0, 0}, {0, kRequestDelay}};
  int32_t id = 0;
  if (sys(__NR_timer_create, CLOCK_MONOTONIC, &event, &id) == 0) sys(__NR_timer_settime, id, 0, &soon, nullptr);
}

bool is_of_mig(const siginfo_t* info) {
  return info->si_code != SI_USER && info->si_value.sival_int == kRequestValue;
}

/// mig took back what it had asked for before its signal arrived.
bool is_withdrawn(const siginfo_t* info) {
  return is_of_mig(info) && state.job && load(&state.job->request.phase) != static_cast<uint32_t>(Phase::kRequested);
}

/// Its checkpoint is the one that is about to stop this process.
bool is_answered(const siginfo_t* info) {
  return is_cut_signal(info) || (!is_of_mig(info) && is_saving_soon());
}

uint64_t request_bit() {
  return uint64_t{1} << (state.signal - 1);
}

bool is_tick(const siginfo_t* info) {
  return info->si_code == SI_TIMER && info->si_timerid == state.period_timer;
}

void delete_timer_of(const siginfo_t* info) {
  if (info->si_code == SI_TIMER && !is_tick(info)) sys(__NR_timer_delete, info->si_timerid);
}

/// For the process that has claimed the stop.
bool has_leader_stack(const siginfo_t* info) {
  if (!leader_stack) leader_stack = static_cast<char*>(map_lasting_pages(kLeaderStack));
  if (leader_stack || !is_of_mig(info)) return leader_stack;
  Request request = take_request();
  refuse(Error::kPendingLost, "a stack for the checkpoint", "the kernel gave no memory for it");
  report(request, false, 0);
  return false;
}

/// The request signal: a stack for its handler, or nullptr when there is nothing to do here and now. A child of vfork, which has
/// its parent's memory, takes none.
char* claim_for_request(const siginfo_t* info, const ucontext_t* frame) {
  if (!is_own_process() || is_confined()) return nullptr;
  delete_timer_of(info);
  if (is_tick(info) && !keeps_period()) return nullptr;
  if (is_withdrawn(info) || is_late(info)) {
    stay_stopped();
    return nullptr;
  }
  if (must_not_stop_here(frame)) {
    request_again(info);
    return nullptr;
  }
  uint32_t now = kRunning;
  bool first = __atomic_compare_exchange_n(&state.stop, &now, kStopping, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  if (!first && now == kExecuting) ask_after_exec(info);
  else if (!first && (now == kLeaving || is_cut_signal(info)) && !is_errand(info)) request_again(info);
  if (first && !has_leader_stack(info)) {
    store(&state.stop, kRunning);
    return nullptr;
  }
  if (first && !is_errand(info) && claim_role(info) == Role::kNone) {
    store(&state.stop, kRunning);
    if (!is_answered(info)) request_again(info);
    return nullptr;
  }
  return first ? leader_stack + kLeaderStack : nullptr;
}

KernelAction own_action() {
  constexpr unsigned long kRestorer = 0x04000000;
  unsigned long stack = state.tiny_alternate_stack ? 0 : SA_ONSTACK;
  return {mig_signal_entry, SA_SIGINFO | SA_RESTART | stack | kRestorer, mig_signal_return, ~0UL};
}

void set_stop_action() {
  KernelAction ours = own_action(), before{};
  sys(__NR_rt_sigaction, kStopSignal, &ours, &before, 8);
  if (before.handler != ours.handler) libc_action = before;
}

/// Where libc has no handler, ours stays: a late stop signal must not end the process.
void reset_stop_action() {
  if (libc_action.flags & SA_SIGINFO) sys(__NR_rt_sigaction, kStopSignal, &libc_action, nullptr, 8);
}

char* hand_to_libc(int signal, siginfo_t* info, ucontext_t* frame) {
  if (libc_action.flags & SA_SIGINFO) libc_action.handler(signal, info, frame);
  return nullptr;
}

/// The stop signal: a slot's stack, or nullptr when the thread is not to stop here and now.
char* claim_for_stop(const siginfo_t* info, const ucontext_t* frame) {
  if (load(&state.stop) != kStopping || !of_this_stop(info)) return nullptr;
  if (must_not_stop_here(frame)) {
    uint32_t i = __atomic_fetch_add(&state.bounced, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(bounced_entry(i), static_cast<int32_t>(sys(__NR_gettid)), __ATOMIC_RELEASE);
    return nullptr;
  }
  uint32_t index = __atomic_fetch_add(&state.claimed, 1, __ATOMIC_ACQ_REL);
  if (index >= state.slot_count) return nullptr;
  memset(slot_at(index), 0, sizeof(ThreadSlot));
  return reinterpret_cast<char*>(slot_at(index));
}

/// The kernel wakes one thread for a request to the process. If another took it, one that returns from our handler, the call of
/// the first would end with EINTR although no handler runs in it: so it is given a moment to come.
void leave_requests_to_others() {
  constexpr int kTries = 100;
  const timespec moment = to_timespec(kMillisecond / 50);
  for (int i = 0; i < kTries; ++i) {
    uint64_t pending = 0;
    sys(__NR_rt_sigpending, &pending, sizeof pending);
    if (!(pending & request_bit())) return;
    sys(__NR_nanosleep, &moment, nullptr);
  }
}

/// A signal of ours for which nothing is done has ended the thread's system call all the same.
void pass_over(ucontext_t* frame) {
  Interruption stop{};
  stop.frame = frame;
  stop.blocked.number = -1;
  stop.at = program_clock();
  stop.generation = state.generation;
  continue_call(stop);
}

}  // namespace

extern "C" char* mig_claim_stack(int signal, siginfo_t* info, ucontext_t* frame) {
  bool stops = is_stop_signal(info);
  if (!stops && signal == kStopSignal) return hand_to_libc(signal, info, frame);
  char* stack = stops ? claim_for_stop(info, frame) : claim_for_request(info, frame);
  if (!stack) pass_over(frame);
  return stack;
}

/// The result is incremented when the thread has left the stack, which may then be given to another.
extern "C" uint32_t* mig_on_signal(int, siginfo_t* info, ucontext_t* frame, char* stack) {
  if (is_stop_signal(info)) {
    park(reinterpret_cast<ThreadSlot*>(stack), frame);
    if (load(&state.left)) leave_requests_to_others();
    return &state.left;
  }
  if (is_errand(info)) lead_errand();
  else lead_checkpoint(frame);
  static_assert(kLeaving + 1 == kRunning);
  return &state.stop;
}

MIG_START void install_handler() {
  KernelAction ours = own_action();
  sys(__NR_rt_sigaction, state.signal, &ours, nullptr, 8);
}

bool stop_threads() {
  if (!may_ask_cpuid())
    return refuse(Error::kUnsupportedSetting, "the CPUID instruction",
                  "the program has switched it off (ARCH_SET_CPUID), so nobody can tell which CPU the image needs");
  learn_late();
  state.leader_tid = static_cast<int32_t>(sys(__NR_gettid));
  ++state.stop_number;
  state.bounced = state.left = state.returned = 0;
  state.parked = 1, awaited = ~0u;  // the leader counts as one that has
  install_handler();
  set_stop_action();
  ScopedFd task_dir(open_path("/proc/self/task", O_RDONLY | O_DIRECTORY));
  if (!task_dir.ok()) return refuse_errno(Error::kPendingLost, "/proc/self/task", "open", task_dir.get());
  if (!ensure_slots(count_threads(task_dir.get())))
    return refuse(Error::kPendingLost, "stacks for the stopped threads", "the kernel gave no memory for them");
  empty_slots();
  memset(bounced_entry(0), 0, state.slot_count * sizeof(int32_t));
  memset(slot_at(0), 0, sizeof(ThreadSlot));
  store(&state.claimed, 1);
  Targets targets;
  return gather(task_dir.get(), targets);
}

void gather_requests(bool answered) {
  constexpr int kKept = 4;
  siginfo_t info, kept[kKept], plain{};
  int count = 0;
  uint64_t set = request_bit();
  timespec none{};
  while (count < kKept && sys(__NR_rt_sigtimedwait, &set, &info, &none, sizeof set) == state.signal) {
    delete_timer_of(&info);
    bool of_somebody = is_errand(&info) || is_of_mig(&info) || is_cut_signal(&info);
    if (!of_somebody) plain = info;
    else if (!is_withdrawn(&info) && !is_late(&info)) kept[count++] = info;
  }
  if (plain.si_signo && !answered) request_again(&plain);
  for (int i = 0; i < count; ++i) sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), sys(__NR_gettid), state.signal, &kept[i]);
}

void note_late_signals() {
  for (uint32_t i = 1; i < load(&state.claimed); ++i)
    if (ThreadSlot* slot = slot_at(i); !slot->dead && thread_has_signals(slot->real_tid)) let_look(slot, kNoteSignals);
}

void return_signals_of_threads() {
  return_thread_signals(slot_at(0));
  for (uint32_t i = 1; i < load(&state.claimed); ++i)
    if (ThreadSlot* slot = slot_at(i); !slot->dead && slot->pending.count) let_look(slot, kReturnSignals);
}

void release_threads() {
  gather_requests(false);
  uint32_t claimed = load(&state.claimed);
  store(&state.stop, kLeaving);
  futex_wake(&state.stop);
  if (claimed > 1) wait_until_all_left(claimed);
  reset_stop_action();
  store(&state.claimed, 0);
}

}  // namespace mig
