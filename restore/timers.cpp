// Interval timers and POSIX timers.
//
// A POSIX timer must get its old id: prctl(PR_TIMER_CREATE_RESTORE_IDS) lets timer_create take it from its last
// argument (Linux 6.15); before, ids were given in order, so timers are made and deleted until it is the turn of the right one.
#include "restore/timers.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "image/base/clock.h"
#include "image/base/text.h"
#include "restore/failure.h"
#include "restore/image_file.h"

namespace mig {
namespace {

constexpr int kRestoreIds = 77;  ///< PR_TIMER_CREATE_RESTORE_IDS
constexpr int kOff = 0, kOn = 1;
constexpr int kTries = 1 << 22;
constexpr int32_t kThreadCpu = -2;

timeval to_timeval(int64_t ns) {
  return {ns / kSecond, ns % kSecond / 1000};
}

int32_t real_tid(int32_t vtid) {
  int32_t found = 0;
  image.each_as<ThreadRecord>(RecordType::kThread, [&](const ThreadRecord& t, const char*) {
    bool wanted = vtid ? t.vtid == vtid : (t.flags & kThreadMain) != 0;
    if (wanted) found = *reinterpret_cast<const int32_t*>(t.real_tid_address);
  });
  return found;
}

/// Clocks of a process's or thread's CPU time have its number in them: ~number << 3 | kind.
int32_t real_clock(const PosixTimerRecord& r) {
  if (r.clock >= 0 || (r.clock & 3) == 3) return r.clock;
  int32_t vtid = ~(r.clock >> 3);
  if (r.clock == kThreadCpu) vtid = r.clock_vtid;
  else if (!vtid) return CLOCK_PROCESS_CPUTIME_ID;
  int32_t tid = real_tid(vtid);
  return static_cast<int32_t>((~static_cast<uint32_t>(tid ? tid : vtid) << 3) | (static_cast<uint32_t>(r.clock) & 7));
}

sigevent event_of(const PosixTimerRecord& r) {
  sigevent e{};
  e.sigev_notify = r.notify;
  e.sigev_signo = r.signal;
  e.sigev_value.sival_ptr = reinterpret_cast<void*>(r.value_pointer);
  if (r.notify == SIGEV_THREAD_ID) e._sigev_un._tid = real_tid(r.notify_vtid);
  return e;
}

long create(const PosixTimerRecord& r) {
  sigevent event = event_of(r);
  int32_t clock = real_clock(r);
  for (int i = 0; i < kTries; ++i) {
    int32_t id = r.id;
    if (long result = sys(__NR_timer_create, clock, &event, &id); result < 0) return result;
    if (id == r.id) return 0;
    sys(__NR_timer_delete, id);
    if (id > r.id) return -EEXIST;
  }
  return -EBUSY;
}

[[noreturn]] void refuse(const PosixTimerRecord& r, const char* action, long result) {
  char object[64];
  Text(object) << "POSIX timer " << r.id;
  give_up(Error::kResourceFailed, object, action, result);
}

/// The next expiry comes when it would have; one whose signal was lost in the checkpoint comes first.
void arm(const PosixTimerRecord& r, int32_t clock) {
  itimerspec t{to_timespec(r.interval), to_timespec(r.value)};
  int flags = 0;
  if (r.flags & kTimerExpired) {
    int64_t at = r.interval ? clock_now(clock) + r.value - r.interval : 0;
    t.it_value = to_timespec(at > 0 ? at : 1);
    flags = TIMER_ABSTIME;
  }
  if (!t.it_value.tv_sec && !t.it_value.tv_nsec) return;
  if (long result = sys(__NR_timer_settime, r.id, flags, &t, nullptr); result < 0) refuse(r, "arm", result);
}

/// In the order of their ids.
template <class Visit>
void each_timer(Visit visit) {
  int64_t done = -1;
  for (;;) {
    PosixTimerRecord next{};
    next.id = INT32_MAX;
    image.each_as<PosixTimerRecord>(RecordType::kPosixTimer, [&](const PosixTimerRecord& r, const char*) {
      if (r.id > done && r.id < next.id) next = r;
    });
    if (next.id == INT32_MAX) return;
    visit(next);
    done = next.id;
  }
}

}  // namespace

void restore_timers() {
  sys(__NR_prctl, kRestoreIds, kOn, 0, 0, 0);
  each_timer([](const PosixTimerRecord& r) {
    if (long result = create(r); result < 0) refuse(r, "create", result);
  });
  sys(__NR_prctl, kRestoreIds, kOff, 0, 0, 0);
  each_timer([](const PosixTimerRecord& r) { arm(r, real_clock(r)); });
  image.each_as<IntervalTimerRecord>(RecordType::kIntervalTimer, [](const IntervalTimerRecord& r, const char*) {
    itimerval t{to_timeval(r.interval), to_timeval(r.value)};
    if (!t.it_value.tv_sec && !t.it_value.tv_usec) t.it_value.tv_usec = 1;
    sys(__NR_setitimer, r.which, &t, nullptr);
  });
}

}  // namespace mig
