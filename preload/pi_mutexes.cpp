// Mutexes with priority inheritance (PTHREAD_PRIO_INHERIT), after a restart.
//
// The word of such a mutex is shared with the kernel: it holds the owner's tid, the kernel looks the owner up by it when
// somebody has to wait, and writes the next owner's into it. So the word must hold a real tid, while libc compares it with
// the tid word of the thread, which after a restart is virtual. (Tried first what happens without: the waiter gets ESRCH,
// and glibc hangs or aborts on its assertion.)
//
// Therefore after a restart, in a program that has ever asked for PTHREAD_PRIO_INHERIT, the calls on mutexes and condition
// variables are redirected (preload/redirect.cpp) to the functions below. For other kinds of mutex these do nothing. For one
// with priority inheritance the real tid stands in the thread's tid word during the call, so that libc and the kernel
// agree. A mutex that was locked before the restart is found with a virtual number in its word at the first call
// on it, by whatever thread, and gets the real one. Mutexes held with real numbers are listed, so that the next restart
// can renew them; those on which a thread waits in the kernel are known from its call.
//
// Before the first restart nothing of this is in the way.
#include "preload/pi_mutexes.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/uio.h>

#include "image/base/futex.h"
#include "preload/hook.h"
#include "preload/ids.h"
#include "preload/redirect.h"
#include "preload/state.h"
#include "preload/tid_words.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_mutexattr_setprotocol);
MIG_ORIGINAL(pthread_mutex_lock);
MIG_ORIGINAL(pthread_mutex_trylock);
MIG_ORIGINAL(pthread_mutex_timedlock);
MIG_ORIGINAL(pthread_mutex_unlock);
MIG_ORIGINAL(pthread_cond_wait);
struct Cleanup {
  void (*routine)(void*);
  void* argument;
  int type;
  Cleanup* outer;
};
Hook<void (*)(Cleanup*, void (*)(void*), void*)> push_cleanup("_pthread_cleanup_push");
Hook<void (*)(Cleanup*, int)> pop_cleanup("_pthread_cleanup_pop");

constexpr int kInherits = 32;  ///< PTHREAD_MUTEX_PRIO_INHERIT_NP in __kind
constexpr int kInconsistent = 0x7fffffff;
constexpr size_t kHeldSize = 4096;

bool used;  ///< the program has asked for such mutexes
bool redirected;

/// A mutex whose word holds a real tid.
struct Held {
  pthread_mutex_t* mutex;
  int32_t count;
  int32_t owner;  ///< virtual, while a restart renews it
};
Held held[kHeldSize];
uint32_t held_lock;

bool is_pi(const pthread_mutex_t* mutex) {
  return mutex->__data.__kind & kInherits;
}
uint32_t* word_of(pthread_mutex_t* mutex) {
  return reinterpret_cast<uint32_t*>(&mutex->__data.__lock);
}

MIG_INLINE Held* find(pthread_mutex_t* mutex, bool make) {
  size_t hash = reinterpret_cast<uint64_t>(mutex) / sizeof *mutex;
  Held* free = nullptr;
  for (size_t i = 0; i < kHeldSize; ++i) {
    Held* h = &held[(hash + i) % kHeldSize];
    if (h->mutex == mutex && h->count > 0) return h;
    if (h->count <= 0 && !free) free = h;
    if (!h->mutex) break;
  }
  if (make && free) *free = {mutex, 0, 0};
  return make ? free : nullptr;
}

/// The number of those who hold it or wait for it, as far as they are listed.
MIG_UNSPLIT int32_t count(pthread_mutex_t* mutex, int32_t change) {
  while (__atomic_exchange_n(&held_lock, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
  Held* h = find(mutex, change > 0);
  if (h) h->count += change;
  int32_t now = h ? h->count : 0;
  __atomic_store_n(&held_lock, 0, __ATOMIC_RELEASE);
  return now;
}

/// A virtual owner, from before the restart, becomes a real one. In one stretch with the listing.
void make_real(pthread_mutex_t* mutex) {
  uint32_t value = load(word_of(mutex));
  auto owner = static_cast<int32_t>(value & FUTEX_TID_MASK);
  if (!owner || count(mutex, 0)) return;
  int32_t real = real_id(owner);
  if (real == owner) return;
  count(mutex, 1);
  uint32_t wanted = (value & ~static_cast<uint32_t>(FUTEX_TID_MASK)) | static_cast<uint32_t>(real);
  if (!__atomic_compare_exchange_n(word_of(mutex), &value, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) count(mutex, -1);
}

int32_t own_real_tid() {
  return static_cast<int32_t>(sys(__NR_gettid));
}
bool holds(pthread_mutex_t* mutex) {
  return static_cast<int32_t>(load(word_of(mutex)) & FUTEX_TID_MASK) == own_real_tid();
}
/// What libc remembers of the owner follows the word.
void correct_owner(pthread_mutex_t* mutex) {
  if (holds(mutex) && mutex->__data.__owner && mutex->__data.__owner != kInconsistent) mutex->__data.__owner = own_real_tid();
}

/// One call on a mutex with priority inheritance. It is listed while it is held, and while somebody waits for it: the
/// kernel hands it over with a real number.
template <class Call>
int with_real_tid(pthread_mutex_t* mutex, Call call) {
  make_real(mutex);
  correct_owner(mutex);
  bool held_before = holds(mutex);
  if (!held_before) count(mutex, 1);
  int error;
  {
    ScopedRealTid real(pthread_self());
    error = call();
  }
  correct_owner(mutex);
  if (!holds(mutex)) count(mutex, -1);
  return error;
}

void restore_tid(void* scope) {
  static_cast<ScopedRealTid*>(scope)->end();
}

/// As with_real_tid; the waiting thread may be cancelled.
template <class Call>
int wait_with_real_tid(pthread_mutex_t* mutex, Call call) {
  make_real(mutex);
  correct_owner(mutex);
  ScopedRealTid real(pthread_self());
  Cleanup cleanup;
  push_cleanup(&cleanup, restore_tid, &real);
  int error = call();
  pop_cleanup(&cleanup, 0);
  real.end();
  correct_owner(mutex);
  return error;
}

int lock(pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_mutex_lock(mutex);
  return with_real_tid(mutex, [&] { return original_pthread_mutex_lock(mutex); });
}
int try_lock(pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_mutex_trylock(mutex);
  return with_real_tid(mutex, [&] { return original_pthread_mutex_trylock(mutex); });
}
int timed_lock(pthread_mutex_t* mutex, const timespec* time) {
  if (!is_pi(mutex)) return original_pthread_mutex_timedlock(mutex, time);
  return with_real_tid(mutex, [&] { return original_pthread_mutex_timedlock(mutex, time); });
}
int clock_lock(pthread_mutex_t* mutex, clockid_t clock, const timespec* time) {
  if (!is_pi(mutex)) return pthread_mutex_clocklock(mutex, clock, time);
  return with_real_tid(mutex, [&] { return pthread_mutex_clocklock(mutex, clock, time); });
}
int unlock(pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_mutex_unlock(mutex);
  return with_real_tid(mutex, [&] { return original_pthread_mutex_unlock(mutex); });
}
int wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_cond_wait(condition, mutex);
  return wait_with_real_tid(mutex, [&] { return original_pthread_cond_wait(condition, mutex); });
}
int timed_wait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* time) {
  if (!is_pi(mutex)) return pthread_cond_timedwait(condition, mutex, time);
  return wait_with_real_tid(mutex, [&] { return pthread_cond_timedwait(condition, mutex, time); });
}
int clock_wait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* time) {
  if (!is_pi(mutex)) return pthread_cond_clockwait(condition, mutex, clock, time);
  return wait_with_real_tid(mutex, [&] { return pthread_cond_clockwait(condition, mutex, clock, time); });
}

template <class F>
void* address(F* function) {
  return reinterpret_cast<void*>(function);
}

void redirect_calls() {
  const Redirection list[] = {
      {"pthread_mutex_lock", address(lock)},
      {"pthread_mutex_trylock", address(try_lock)},
      {"pthread_mutex_timedlock", address(timed_lock)},
      {"pthread_mutex_clocklock", address(clock_lock)},
      {"pthread_mutex_unlock", address(unlock)},
      {"pthread_cond_wait", address(wait)},
      {"pthread_cond_timedwait", address(timed_wait)},
      {"pthread_cond_clockwait", address(clock_wait)},
  };
  redirect(list, sizeof list / sizeof *list);
  redirected = true;
}

/// The mutex may be gone although it was never unlocked: read and written by the kernel, which tells.
bool read_word(pthread_mutex_t* mutex, uint32_t& value) {
  iovec local{&value, sizeof value}, remote{mutex, sizeof value};
  long pid = sys(__NR_getpid);
  return sys(__NR_process_vm_readv, pid, &local, 1, &remote, 1, 0) == static_cast<long>(sizeof value);
}

void set_owner(pthread_mutex_t* mutex, uint32_t value, int32_t real) {
  value = (value & ~static_cast<uint32_t>(FUTEX_TID_MASK)) | static_cast<uint32_t>(real);
  *word_of(mutex) = value;
}

/// A lock that a thread waits for in the kernel.
pthread_mutex_t* waited_for(const BlockedCall& call) {
  auto operation = call.args[1] & static_cast<uint64_t>(FUTEX_CMD_MASK);
  constexpr uint64_t kLockPi2 = 13;
  if (call.number != __NR_futex || (operation != FUTEX_LOCK_PI && operation != kLockPi2)) return nullptr;
  return reinterpret_cast<pthread_mutex_t*>(call.args[0]);
}

/// Locks that were entered before there was a list: counted once for the owner, and for each thread that will own it.
void list_waited_for() {
  for (uint32_t i = 0; i < load(&state.claimed); ++i) {
    pthread_mutex_t* mutex = waited_for(slot_at(i)->blocked);
    uint32_t value;
    if (!mutex || !read_word(mutex, value)) continue;
    auto owner = static_cast<int32_t>(value & FUTEX_TID_MASK);
    if (owner && !count(mutex, 0)) {
      set_owner(mutex, value, real_id(owner));
      count(mutex, 1);
    }
    count(mutex, 1);
  }
}

}  // namespace

void note_pi_owners() {
  held_lock = 0;
  if (!used) return;
  for (Held& h : held) {
    uint32_t value;
    if (h.count <= 0) continue;
    if (!read_word(h.mutex, value)) h.count = 0;
    else h.owner = virtual_id(static_cast<int32_t>(value & FUTEX_TID_MASK));
  }
}

void renew_pi_owners() {
  if (!used || !ids_moved()) return;
  for (Held& h : held) {
    uint32_t value;
    if (h.count > 0 && h.owner && read_word(h.mutex, value)) set_owner(h.mutex, value, real_id(h.owner));
  }
  if (!redirected) list_waited_for();
  redirect_calls();
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int pthread_mutexattr_setprotocol(pthread_mutexattr_t* attributes, int protocol) noexcept {
  if (protocol == PTHREAD_PRIO_INHERIT && !used) {
    used = true;
    if (ids_moved()) redirect_calls();
  }
  return original_pthread_mutexattr_setprotocol(attributes, protocol);
}
