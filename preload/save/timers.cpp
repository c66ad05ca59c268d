// Interval timers and POSIX timers.
//
// POSIX timers are listed in /proc/self/timers (CONFIG_CHECKPOINT_RESTORE); what remains is asked of timer_gettime. They
// keep the kernel's id, which is all that the program (or libc, for SIGEV_THREAD) knows of them.
//
// Found by trying: ClockID of a timer made for CLOCK_PROCESS_CPUTIME_ID is -6 and for CLOCK_THREAD_CPUTIME_ID -2, the
// kernel's names for "the CPU time of whoever asks". Which thread -2 means is not told, so the wrapper of timer_create
// notes it. A one-shot timer that has expired looks like one that was never armed; its signal, if it is still pending,
// was taken and comes back by itself. One sent to a thread that had noted its signals already is found in
// that thread's status, and the timer is saved as about to expire.
#include "preload/save/timers.h"

#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <initializer_list>

#include "image/base/clock.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/state.h"
#include "preload/stop/pending.h"
#include "preload/times.h"

namespace mig {
namespace {

constexpr int kThreadTimers = 256;
constexpr long kThreadCpu = -2;
constexpr size_t kFirst = kPage / sizeof(PosixTimerRecord);

struct TimerTable {
  PosixTimerRecord* at;
  size_t count, capacity;
};
TimerTable timers;
IntervalTimerRecord interval_timers[3];

struct ThreadTimer {
  int32_t id_plus_one, vtid;
};
ThreadTimer thread_timers[kThreadTimers];

int64_t nanoseconds(const timeval& t) {
  return t.tv_sec * kSecond + t.tv_usec * 1000;
}

PosixTimerRecord* add() {
  if (timers.count == timers.capacity) {
    size_t wanted = timers.capacity ? timers.capacity * 2 : kFirst;
    void* p = Pages::grow(timers.at, timers.capacity * sizeof *timers.at, wanted * sizeof *timers.at);
    if (!p) return nullptr;
    timers.at = static_cast<PosixTimerRecord*>(p);
    timers.capacity = wanted;
  }
  timers.at[timers.count] = {};
  return &timers.at[timers.count++];
}

void note_interval_timers() {
  for (uint32_t which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval t{};
    sys(__NR_getitimer, which, &t);
    interval_timers[which] = {which, 0, nanoseconds(t.it_value), nanoseconds(t.it_interval)};
  }
}

/// "signal/tid.1234", "none/pid.1234"
void parse_notify(const char* text, PosixTimerRecord& r) {
  if (text_starts(text, "none")) r.notify = SIGEV_NONE;
  else if (text_starts(text, "thread")) r.notify = SIGEV_THREAD;
  else r.notify = SIGEV_SIGNAL;
  const char* to = text_find(text, "/tid.");
  if (!to) return;
  r.notify = SIGEV_THREAD_ID;
  r.notify_vtid = static_cast<int32_t>(Scan(to + 5).number());
}

/// Thread-directed signals that came after the thread had noted its own.
bool sent_meanwhile(const PosixTimerRecord& r) {
  return r.notify == SIGEV_THREAD_ID && (pending_sets(r.notify_vtid).thread >> (r.signal - 1) & 1);
}

void ask_kernel(PosixTimerRecord& r) {
  itimerspec t{};
  sys(__NR_timer_gettime, r.id, &t);
  r.value = mig::nanoseconds(t.it_value), r.interval = mig::nanoseconds(t.it_interval);
  long overrun = sys(__NR_timer_getoverrun, r.id);
  r.overrun = overrun > 0 ? static_cast<int32_t>(overrun) : 0;
  if (r.notify == SIGEV_THREAD_ID && sent_meanwhile(r)) r.flags |= kTimerExpired;
}

/// Numbers of tasks become the program's.
void make_virtual(PosixTimerRecord& r) {
  r.notify_vtid = virtual_id(r.notify_vtid);
  if (is_task_clock(r.clock) && clock_task(r.clock))
    r.clock = static_cast<int32_t>(clock_with(r.clock, virtual_id(clock_task(r.clock))));
  if (r.clock != kThreadCpu) return;
  for (const ThreadTimer& t : thread_timers)
    if (t.id_plus_one == r.id + 1) r.clock_vtid = t.vtid;
}

bool read_posix_timers() {
  LineReader<512> lines("/proc/self/timers");
  PosixTimerRecord* r = nullptr;
  while (const char* line = lines.next()) {
    if (text_starts(line, "ID: ")) {
      if (!(r = add())) return false;
      r->id = static_cast<int32_t>(Scan(line + 4).number());
    } else if (r && text_starts(line, "signal: ")) {
      Scan scan(line + 8);
      r->signal = static_cast<int32_t>(scan.number());
      r->value_pointer = scan.skip('/').hex();
    } else if (r && text_starts(line, "notify: ")) {
      parse_notify(line + 8, *r);
    } else if (r && text_starts(line, "ClockID: ")) {
      r->clock = static_cast<int32_t>(Scan(line + 9).number());
    }
  }
  return true;
}

/// Timers of the library send the request signal.
void leave_out_own() {
  size_t kept = 0;
  for (size_t i = 0; i < timers.count; ++i)
    if (timers.at[i].signal != state.signal) timers.at[kept++] = timers.at[i];
  timers.count = kept;
}

}  // namespace

bool note_timers() {
  note_interval_timers();
  timers.count = 0;
  if (!read_posix_timers()) return refuse(Error::kPendingLost, "the list of POSIX timers", "the kernel gave no memory for it");
  leave_out_own();
  for (size_t i = 0; i < timers.count; ++i) {
    ask_kernel(timers.at[i]);
    make_virtual(timers.at[i]);
  }
  return true;
}

bool save_timers(ImageWriter& writer) {
  for (const IntervalTimerRecord& r : interval_timers)
    if (r.value && !writer.record(RecordType::kIntervalTimer, r)) return false;
  for (size_t i = 0; i < timers.count; ++i)
    if (!writer.record(RecordType::kPosixTimer, timers.at[i])) return false;
  return true;
}

bool set_timer_back(const siginfo_t& info) {
  itimerspec t{};
  if (info.si_code != SI_TIMER || sys(__NR_timer_gettime, info.si_timerid, &t) < 0) return false;
  long clock = timer_clock(info.si_timerid);
  int64_t interval = mig::nanoseconds(t.it_interval), now = clock_now(static_cast<int>(clock));
  if (clock < 0) return false;
  if (!interval) {
    t.it_value = {0, 1};
    return sys(__NR_timer_settime, info.si_timerid, 0, &t, nullptr) == 0;
  }
  int64_t next = now + mig::nanoseconds(t.it_value), times = int64_t{info.si_overrun} + 1;
  if (next - times * interval <= 0) times = (next - 1) / interval;
  t.it_value = to_timespec(next - times * interval);
  return sys(__NR_timer_settime, info.si_timerid, TIMER_ABSTIME, &t, nullptr) == 0;
}

void note_thread_timer(int id) {
  for (ThreadTimer& t : thread_timers) {
    int32_t none = 0, wanted = id + 1;
    if (t.id_plus_one != wanted &&
        !__atomic_compare_exchange_n(&t.id_plus_one, &none, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      continue;
    t.vtid = own_tid();
    return;
  }
}

long timer_clock(int id) {
  for (size_t i = 0; i < timers.count; ++i)
    if (timers.at[i].id == id) return timers.at[i].clock;
  return -1;
}

}  // namespace mig
