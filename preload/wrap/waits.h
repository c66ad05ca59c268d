// What wrappers note, thread by thread, about the wait they are about to enter. The checkpoint handler reads it in the
// same thread; it is all that the kernel does not tell once a signal has ended a call.
//
// A note can outlive its wrapper: longjmp out of a handler, or the end of a cancelled thread (this library has no
// exceptions, so unwinding runs no destructors here). So each carries what proves that it is still true: a
// WaitNote the stack it was made on, a Deadline its own address and a magic number.
#pragma once
#include <stdint.h>
#include <time.h>

#include "image/base/clock.h"
#include "preload/state.h"
#include "preload/times.h"

namespace mig {

/// A call with a relative timeout: when it began.
struct WaitNote {
  uint64_t frame;  ///< address of the wrapper's stack frame
  int64_t begin;   ///< the program's CLOCK_MONOTONIC; 0: the call has no timeout
  int64_t number;  ///< of the system call
};
inline thread_local WaitNote wait_note __attribute__((tls_model("initial-exec"))) = {};

class NotedWait {
 public:
  __attribute__((always_inline)) NotedWait(int64_t number, bool timed) : outer_(wait_note) {
    timespec now{};
    if (timed) clock_gettime(CLOCK_MONOTONIC, &now);
    wait_note = {reinterpret_cast<uint64_t>(__builtin_frame_address(0)), nanoseconds(now), number};
  }
  ~NotedWait() { wait_note = outer_; }
  NotedWait(const NotedWait&) = delete;
  NotedWait& operator=(const NotedWait&) = delete;

 private:
  WaitNote outer_;
};

constexpr uint64_t kWrapperDepth = 1024;  ///< of stack between a wrapper and the `syscall` in libc

constexpr uint64_t kDeadlineMagic = 0x4d49472d756e7469;

/// An absolute time of a clock that a restart shifts, as the kernel is to see it. libc may hand it to the kernel more than
/// once (a condition variable woken for nothing waits again), so a restart changes it in place.
struct Deadline {
  uint64_t magic;
  const Deadline* self;
  Deadline* outer;
  long clock;
  timespec time;
};
inline thread_local Deadline* deadlines __attribute__((tls_model("initial-exec"))) = nullptr;

/// `t` moved by `by` nanoseconds, never before the clock's beginning.
inline timespec moved(const timespec& t, int64_t by) {
  if (t.tv_sec > INT64_MAX / 2) return t;
  int64_t seconds = t.tv_sec + by / kSecond, rest = t.tv_nsec + by % kSecond;
  if (rest < 0) rest += kSecond, --seconds;
  if (rest >= kSecond) rest -= kSecond, ++seconds;
  if (seconds < 0) return {0, 1};
  return {seconds, rest};
}

class NotedDeadline {
 public:
  /// `time` is the program's; null stays null, and what no kernel accepts stays as it is.
  NotedDeadline(long clock, const timespec* time) : given_(time), noted_(is_shifted(clock) && is_valid(time)) {
    if (!noted_) return;
    note_ = {kDeadlineMagic, &note_, deadlines, clock, *time};
    __atomic_store_n(&deadlines, &note_, __ATOMIC_RELEASE);
    uint64_t generation;
    do {
      generation = __atomic_load_n(&state.generation, __ATOMIC_ACQUIRE);
      note_.time = moved(*time, -clock_shift(clock));
    } while (generation != __atomic_load_n(&state.generation, __ATOMIC_ACQUIRE));
  }
  ~NotedDeadline() {
    if (!noted_) return;
    deadlines = note_.outer;
    note_.magic = 0;
  }
  NotedDeadline(const NotedDeadline&) = delete;
  NotedDeadline& operator=(const NotedDeadline&) = delete;
  const timespec* get() const { return noted_ ? &note_.time : given_; }

 private:
  static bool is_shifted(long clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM ||
           clock == CLOCK_PROCESS_CPUTIME_ID;
  }
  static bool is_valid(const timespec* t) { return t && t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < kSecond; }
  const timespec* given_;
  bool noted_;
  Deadline note_;
};

}  // namespace mig
