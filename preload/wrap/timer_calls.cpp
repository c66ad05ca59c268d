// Wrappers of timer_create and its like: threads' numbers and absolute times are the program's, and the kernel wants its own.
#include <signal.h>
#include <string.h>
#include <time.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/save/timers.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/timer_thread.h"
#include "preload/wrap/waits.h"

namespace mig {
namespace {

MIG_ORIGINAL(timer_create);
MIG_ORIGINAL(timer_settime);
MIG_ORIGINAL(timer_delete);

/// The clock of a timer, from /proc/self/timers: by the kernel's id, or, for those that libc starts threads for, by the
/// value that libc gave the kernel, of which the timer_t is half.
long clock_of(timer_t timer) {
  auto number = reinterpret_cast<long>(timer);
  auto pointer = static_cast<uint64_t>(number) << 1;
  LineReader<256> lines("/proc/self/timers");
  bool found = false;
  while (const char* line = lines.next()) {
    if (text_starts(line, "ID: ")) found = number >= 0 && Scan(line + 4).number() == number;
    else if (text_starts(line, "signal: ")) found = found || (number < 0 && Scan(line).after('/').hex() == pointer);
    else if (found && text_starts(line, "ClockID: ")) return Scan(line + 9).number();
  }
  return CLOCK_REALTIME;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int timer_create(clockid_t clock, sigevent* event, timer_t* timer) noexcept {
  if (event && event->sigev_notify == SIGEV_THREAD && state.generation) return create_thread_timer(clock, *event, timer);
  Mark mark;
  sigevent copy;
  if (event && event->sigev_notify == SIGEV_THREAD_ID && ids_moved()) {
    copy = *event;
    copy._sigev_un._tid = real_id(copy._sigev_un._tid);
    event = &copy;
  }
  int result = original_timer_create(static_cast<clockid_t>(real_clock(clock)), event, timer);
  if (!result && clock == CLOCK_THREAD_CPUTIME_ID) note_thread_timer(static_cast<int>(reinterpret_cast<long>(*timer)));
  return result;
}

MIG_EXPORT int timer_settime(timer_t timer, int flags, const itimerspec* time, itimerspec* old) noexcept {
  bool armed = time && (time->it_value.tv_sec || time->it_value.tv_nsec);
  if (!(flags & TIMER_ABSTIME) || !state.generation || !armed) return original_timer_settime(timer, flags, time, old);
  Mark mark;
  long clock = clock_of(timer);
  itimerspec kernel_time = {time->it_interval,
                            moved(time->it_value, -clock_shift(clock == -6 ? CLOCK_PROCESS_CPUTIME_ID : clock))};
  return original_timer_settime(timer, flags, &kernel_time, old);
}

MIG_EXPORT int timer_delete(timer_t timer) noexcept {
  int result = original_timer_delete(timer);
  if (!result && state.generation) forget_thread_timer(timer);
  return result;
}
