// When a process is killed, the kernel walks the robust lists of its threads and marks the mutexes whose words hold their real tids. After a
// restart a word holds a virtual one, and the kernel passes over it; what ends by itself does the kernel's work (preload/tid_words.cpp), but
// nobody is left to do so for what was killed. So those who want the mutex do: who waits looks from time to time whether the holder lives.
//
// Not reached: threads that were waiting already when the restart's image was taken, and those that take the mutex again in
// pthread_cond_wait.
#include "preload/save/robust_mutexes.h"

#include <errno.h>
#include <linux/futex.h>

#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int64_t kLook = 50 * kMillisecond;

bool is_member_process(int32_t pid) {
  for (uint32_t i = 0; state.job && i < state.job->member_count; ++i)
    if (__atomic_load_n(&state.job->members[i].pid, __ATOMIC_ACQUIRE) == pid) return true;
  return false;
}

/// The process that the thread belongs to; 0: there is none.
int32_t process_of(int32_t tid) {
  char path[48];
  Text(path) << "/proc/" << tid << "/status";
  LineReader<> lines(path);
  while (char* line = lines.next())
    if (text_starts(line, "Tgid:")) return static_cast<int32_t>(Scan(line + 5).skip_spaces().number());
  return 0;
}

/// The number of a thread that is gone may be somebody else's by now.
bool lives(int32_t virtual_tid) {
  int32_t real = real_id(virtual_tid);
  char letter = process_stat(real).state;
  return letter != 'X' && letter != 'Z' && is_member_process(process_of(real));
}

/// As the kernel does for a real tid (handle_futex_death).
bool mark_if_dead(pthread_mutex_t* mutex) {
  auto word = reinterpret_cast<uint32_t*>(&mutex->__data.__lock);
  uint32_t value = load(word);
  auto owner = static_cast<int32_t>(value & FUTEX_TID_MASK);
  if (!owner || (value & FUTEX_OWNER_DIED) || lives(owner)) return false;
  if (!__atomic_compare_exchange_n(word, &value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return false;
  if (value & FUTEX_WAITERS) sys(__NR_futex, word, FUTEX_WAKE, 1);
  return true;
}

bool is_before(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

}  // namespace

int try_lock_robust(pthread_mutex_t* mutex, MutexCall try_lock) {
  int error = try_lock(mutex);
  return error == EBUSY && mark_if_dead(mutex) ? try_lock(mutex) : error;
}

int lock_robust(pthread_mutex_t* mutex, MutexCall try_lock, TimedMutexCall timed_lock) {
  int error = try_lock_robust(mutex, try_lock);
  while (error == EBUSY || error == ETIMEDOUT) {
    timespec soon = to_timespec(clock_now(CLOCK_REALTIME) + kLook);
    error = timed_lock(mutex, &soon);
    if (error == ETIMEDOUT) mark_if_dead(mutex);
  }
  return error;
}

int timed_lock_robust(pthread_mutex_t* mutex, const timespec* until, MutexCall try_lock, TimedMutexCall timed_lock) {
  int error = try_lock_robust(mutex, try_lock);
  while (error == EBUSY || error == ETIMEDOUT) {
    timespec soon = to_timespec(clock_now(CLOCK_REALTIME) + kLook);
    bool last = !is_before(soon, *until);
    error = timed_lock(mutex, last ? until : &soon);
    if (error == ETIMEDOUT && !mark_if_dead(mutex) && last) return error;
  }
  return error;
}

}  // namespace mig
