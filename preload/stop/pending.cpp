// Signals that are pending for the process or for a thread.
//
// Their siginfo can be read only by taking them (rt_sigtimedwait without waiting), which is safe here because the handler
// has every signal blocked. They are queued again by rt_sigqueueinfo and rt_tgsigqueueinfo to oneself, which accept any
// si_code, if the tid given is the caller's own: so each thread handles its own queue, and the leader the process's.
// The queues are noted in the library's memory, which is part of the image: after a restart the same code puts
// them back, and the stub need not know. /proc/self/task/TID/status tells the two queues apart; rt_sigtimedwait empties
// the thread's first. It is only read when something is pending.
//
// A signal of the process that some thread lets through would be delivered at once. Which thread gets it is decided here,
// as the kernel would (the main thread first), and it is queued for that thread alone: only then is it known whose
// blocking call it ends (preload/stop/calls.cpp).
//
// A POSIX timer has at most one signal pending and counts what it would have sent besides (the overrun). Putting its
// signal back as an ordinary one would let the timer queue another, one more with each checkpoint. So while the
// signal stays blocked the timer is set back in time instead: to have expired as often as it had.
//
// si_pid is noted as the program knows it. In the kernel's queues it is always the kernel's number of today: libc's own
// signals (32: cancel) are compared with that, and what the program is told of the others is translated.
#include "preload/stop/pending.h"

#include <errno.h>
#include <string.h>

#include "image/base/file.h"
#include "image/base/futex.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/save/timers.h"
#include "preload/stop/stop.h"
#include "preload/stop/stopped.h"
#include "preload/wrap/handlers.h"

namespace mig {
namespace {

constexpr int kRepeated = 64;
constexpr uint32_t kFirstPage = kPage / sizeof(siginfo_t);

SignalQueue of_process;
bool lost;

struct KernelAction {
  uint64_t handler, flags, restorer, mask;
};

uint64_t bit(int signal) {
  return uint64_t{1} << (signal - 1);
}

uint64_t ours() {
  return bit(state.signal) | bit(kStopSignal);
}

bool push(SignalQueue& queue, const siginfo_t& info) {
  if (queue.count == queue.capacity) {
    uint32_t wanted = queue.capacity ? queue.capacity * 2 : kFirstPage;
    void* p = Pages::grow(queue.at, queue.capacity * sizeof info, wanted * sizeof info);
    if (!p) {
      lost = true;
      return false;
    }
    queue.at = static_cast<siginfo_t*>(p);
    queue.capacity = wanted;
  }
  queue.at[queue.count++] = info;
  return true;
}

void clear(SignalQueue& queue) {
  unmap_pages(queue.at, queue.capacity * sizeof(siginfo_t));
  queue = {};
}

bool take(int signal, siginfo_t& info) {
  uint64_t set = bit(signal);
  timespec none{};
  memset(&info, 0, sizeof info);
  if (sys(__NR_rt_sigtimedwait, &set, &info, &none, 8) != signal) return false;
  translate_sender(&info);
  return true;
}

int first_of(uint64_t set) {
  return set ? __builtin_ctzll(set) + 1 : 0;
}

/// A timer of short interval sends its signal again as soon as it was taken: it is counted, as the kernel does.
bool is_repeated(SignalQueue& queue, const siginfo_t& info) {
  for (uint32_t i = queue.count; info.si_code == SI_TIMER && i-- > 0;) {
    siginfo_t& earlier = queue.at[i];
    if (earlier.si_code != SI_TIMER || earlier.si_signo != info.si_signo || earlier.si_timerid != info.si_timerid) continue;
    earlier.si_overrun += info.si_overrun + 1;
    return true;
  }
  return false;
}

/// Takes one signal after the other while `which(sets)` of /proc/.../status still has it.
template <class Which>
void drain(SignalQueue& queue, Which which) {
  auto tid = static_cast<int32_t>(sys(__NR_gettid));
  uint64_t skipped = ours();
  int repeated = 0;
  siginfo_t info;
  for (int signal; (signal = first_of(which(pending_sets(tid)) & ~skipped));) {
    if (!take(signal, info)) skipped |= bit(signal);
    else if (is_news_of_cut(info)) continue;
    else if (is_repeated(queue, info)) skipped |= ++repeated < kRepeated ? 0 : bit(signal);
    else if (!push(queue, info)) return;
  }
}

void send_to_self(const siginfo_t& noted, bool to_thread) {
  siginfo_t info = noted;
  if (has_sender(info.si_signo, info.si_code)) info.si_pid = real_id(info.si_pid);
  long tid = sys(__NR_gettid);
  if (to_thread) sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), tid, info.si_signo, &info);
  else sys(__NR_rt_sigqueueinfo, tid, info.si_signo, &info);
}

bool has_handler(int signal) {
  KernelAction action{};
  return sys(__NR_rt_sigaction, signal, nullptr, &action, 8) == 0 && action.handler > 1;
}

bool lets_through(const ThreadSlot* slot, int signal) {
  return !slot->dead && !(*reinterpret_cast<const uint64_t*>(&slot->frame->uc_sigmask) & bit(signal));
}

/// The thread that takes a signal of the process: the main thread if it can.
ThreadSlot* taker(int signal) {
  ThreadSlot* other = nullptr;
  for (uint32_t i = 0; i < load(&state.claimed); ++i) {
    ThreadSlot* slot = slot_at(i);
    if (!lets_through(slot, signal)) continue;
    if (slot->record.flags & kThreadMain) return slot;
    if (!other) other = slot;
  }
  return other;
}

bool save_queue(ImageWriter& writer, const SignalQueue& queue, int32_t vtid) {
  for (uint32_t i = 0; i < queue.count; ++i) {
    PendingSignalRecord r{vtid, 0, {}};
    static_assert(sizeof r.info == sizeof(siginfo_t));
    memcpy(r.info, &queue.at[i], sizeof r.info);
    if (!writer.record(RecordType::kPendingSignal, r)) return false;
  }
  return true;
}

}  // namespace

PendingSets pending_sets(int32_t tid) {
  PendingSets sets{};
  char path[64];
  Text(path) << "/proc/self/task/" << tid << "/status";
  LineReader<512> lines(path);
  while (const char* line = lines.next()) {
    if (text_starts(line, "SigPnd:")) sets.thread = Scan(line + 7).hex();
    if (text_starts(line, "ShdPnd:")) {
      sets.process = Scan(line + 7).hex();
      break;
    }
  }
  return sets;
}

bool thread_has_signals(int32_t tid) {
  return pending_sets(tid).thread & ~ours();
}

uint64_t pending_signals() {
  uint64_t pending = 0;
  sys(__NR_rt_sigpending, &pending, 8);
  return pending & ~ours();
}

uint64_t pending_for_this_thread() {
  uint64_t pending = pending_signals();
  auto tid = static_cast<int32_t>(sys(__NR_gettid));
  if (!pending || tid == sys(__NR_getpid)) return pending;
  return pending & pending_sets(tid).thread;
}

void note_thread_signals(ThreadSlot* slot) {
  if (pending_signals()) drain(slot->pending, [](PendingSets s) { return s.thread; });
}

void return_thread_signals(ThreadSlot* slot) {
  if (slot->pending.count) note_thread_signals(slot);
  for (uint32_t i = 0; i < slot->pending.count; ++i) {
    const siginfo_t& info = slot->pending.at[i];
    bool blocked = !lets_through(slot, info.si_signo);
    if (!(blocked && set_timer_back(info))) send_to_self(info, true);
  }
  clear(slot->pending);
}

void note_process_signals() {
  if (pending_signals()) drain(of_process, [](PendingSets s) { return s.process; });
}

void return_process_signals() {
  note_process_signals();
  for (uint32_t i = 0; i < of_process.count; ++i) {
    const siginfo_t& info = of_process.at[i];
    ThreadSlot* slot = taker(info.si_signo);
    if (!slot && set_timer_back(info)) continue;
    if (!slot || !has_handler(info.si_signo) || !push(slot->pending, info)) send_to_self(info, false);
  }
  clear(of_process);
  lost = false;
}

bool save_pending_signals(ImageWriter& writer) {
  if (!save_queue(writer, of_process, 0)) return false;
  for (uint32_t i = 0; i < load(&state.claimed); ++i)
    if (!save_queue(writer, slot_at(i)->pending, slot_at(i)->record.vtid)) return false;
  return true;
}

bool pending_signals_lost() {
  return lost;
}

}  // namespace mig
