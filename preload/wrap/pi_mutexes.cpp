// Mutexes with priority inheritance (PTHREAD_PRIO_INHERIT).
//
// The word of such a mutex is shared with the kernel: it holds the owner's tid, the kernel looks the owner up by it when
// somebody has to wait, and writes the next owner's into it. So the word must hold a real tid, while libc compares it with
// the tid word of the thread, which after a restart is virtual. (Tried first what happens without: the waiter gets ESRCH,
// and glibc hangs or aborts on its assertion.)
//
//   - The words of these mutexes always hold real tids. All such mutexes are known (preload/wrap/pi_registry.h), and a restart
//     writes the new tids into those that are held, whoever waits for them in the kernel, or has got them there, or not.
//   - After a restart libc's functions on mutexes are redirected (preload/wrap/redirect.h) to those below: for other kinds of
//     mutex these do nothing; for one with priority inheritance the real tid stands in the thread's tid word during the
//     call. Before the first restart, and in programs without such mutexes, calls on mutexes are not touched.
//   - Waits for a condition are wrapped from the beginning: a thread that waits while the program is moved reads its tid
//     word when it has been woken.
//
// libc reads the tid word into a register and uses it some instructions later: a thread stopped in between would write
// the tid of another life into the mutex (tried without: every second run of subject/lock_pi failed). So no thread is
// stopped inside libc's code of mutexes, except at a system call or just behind a `lock cmpxchg`: there the word is written
// already, and only the copy in `__owner` is not; that one is put right at the owner's next call. (Without the second
// exception a thread that does nothing but lock and unlock was not stopped in five seconds: it is nearly always
// found behind that slow instruction.)
//
// Where that code is: between the exported functions, static ones with it (glibc links pthread_cond_* to
// pthread_mutex_unlock in alphabetical order). Before 2.34 libpthread was a library of its own, and all of it counts.
// Only a spin lock may run there without end.
//
// Tried before this: a list of the mutexes that are held, kept by the redirected calls, and virtual tids in words that
// are not on it. The kernel hands a mutex on before any list can say so: a restart at that moment left a word with
// a tid of the life before (subject/lock_pi).
//
// Not reached: addresses of these functions that the program has got from dlsym, libraries loaded after a
// restart until they or another make such a mutex or the next restart, and mutexes in memory shared with another
// process that has made them.
#include "preload/wrap/pi_mutexes.h"

#include <gnu/libc-version.h>
#include <link.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/uio.h>

#include "image/base/futex.h"
#include "preload/arch/x86_64/frame.h"
#include "preload/ids.h"
#include "preload/save/robust_mutexes.h"
#include "preload/state.h"
#include "preload/tid_words.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/pi_registry.h"
#include "preload/wrap/redirect.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_mutex_lock);
MIG_ORIGINAL(pthread_mutex_trylock);
MIG_ORIGINAL(pthread_mutex_timedlock);
MIG_ORIGINAL(pthread_mutex_unlock);
MIG_ORIGINAL(pthread_mutex_consistent);
MIG_ORIGINAL(pthread_cond_wait);
MIG_ORIGINAL(pthread_cond_timedwait);
MIG_ORIGINAL(pthread_spin_lock);
MIG_ORIGINAL(dl_iterate_phdr);

constexpr int kInconsistent = 0x7fffffff, kNotRecoverable = 0x7ffffffe;  ///< PTHREAD_MUTEX_INCONSISTENT ... in __owner
constexpr uint64_t kUnlockSize = 64, kSpinSize = 64;                     ///< of code, at least
constexpr int kKinds = 0x3ff;  ///< bits of __kind: type, robust, protocol, shared, elision

struct Code {
  uint64_t begin, end;
};
Code mutex_code, spin_code;
bool has_shared_robust;             ///< the program, or what it was forked from, has made one
unsigned long long libraries_seen;  ///< loaded since the program's start, when the calls were last redirected

/// The owner that libc remembers follows the word: a wait in the kernel may have lasted over a restart.
MIG_UNSPLIT void correct_owner(pthread_mutex_t* mutex) {
  int32_t real = shown_tid.real;
  if (!real || (__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK) != real) return;
  int32_t owner = mutex->__data.__owner;
  if (owner != real && owner != kInconsistent && owner != kNotRecoverable) mutex->__data.__owner = real;
}

// What calls are redirected to.

int lock(pthread_mutex_t* mutex) {
  if (is_shared_robust(mutex))
    return lock_robust(mutex, original_pthread_mutex_trylock.get(), original_pthread_mutex_timedlock.get());
  if (!is_pi(mutex)) return original_pthread_mutex_lock(mutex);
  ScopedMutexCall call(mutex);
  return original_pthread_mutex_lock(mutex);
}
int try_lock(pthread_mutex_t* mutex) {
  if (is_shared_robust(mutex)) return try_lock_robust(mutex, original_pthread_mutex_trylock.get());
  if (!is_pi(mutex)) return original_pthread_mutex_trylock(mutex);
  ScopedMutexCall call(mutex);
  return original_pthread_mutex_trylock(mutex);
}
int timed_lock(pthread_mutex_t* mutex, const timespec* time) {
  if (is_shared_robust(mutex))
    return timed_lock_robust(mutex, time, original_pthread_mutex_trylock.get(), original_pthread_mutex_timedlock.get());
  if (!is_pi(mutex)) return original_pthread_mutex_timedlock(mutex, time);
  ScopedMutexCall call(mutex);
  return original_pthread_mutex_timedlock(mutex, time);
}
int unlock(pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_mutex_unlock(mutex);
  ScopedMutexCall call(mutex);
  return original_pthread_mutex_unlock(mutex);
}
int consistent(pthread_mutex_t* mutex) {
  ScopedMutexCall call(mutex);
  return original_pthread_mutex_consistent(mutex);
}

template <class Result, class... Args>
Redirection to(const char* name, Result (*original)(Args...), Result (*target)(Args...)) {
  return {name, reinterpret_cast<uint64_t>(original), reinterpret_cast<uint64_t>(target)};
}

void redirect_calls() {
  const Redirection list[] = {
      to("pthread_mutex_lock", original_pthread_mutex_lock.get(), lock),
      to("__pthread_mutex_lock", original_pthread_mutex_lock.get(), lock),
      to("pthread_mutex_trylock", original_pthread_mutex_trylock.get(), try_lock),
      to("__pthread_mutex_trylock", original_pthread_mutex_trylock.get(), try_lock),
      to("pthread_mutex_timedlock", original_pthread_mutex_timedlock.get(), timed_lock),
      to("pthread_mutex_unlock", original_pthread_mutex_unlock.get(), unlock),
      to("__pthread_mutex_unlock", original_pthread_mutex_unlock.get(), unlock),
      to("pthread_mutex_consistent", original_pthread_mutex_consistent.get(), consistent),
  };
  redirect(list, sizeof list / sizeof *list);
}

int redirect_new_libraries(dl_phdr_info* info, size_t, void*) {
  if (info->dlpi_adds != libraries_seen) redirect_calls();
  libraries_seen = info->dlpi_adds;
  return 1;
}

// Where libc's code is.

template <class F>
uint64_t address(F* function) {
  return reinterpret_cast<uint64_t>(function);
}

/// The executable part of the library that has the address.
Code text_around(uint64_t inside) {
  auto look = [](dl_phdr_info* info, size_t, void* data) {
    auto code = static_cast<Code*>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr)& p = info->dlpi_phdr[i];
      uint64_t begin = info->dlpi_addr + p.p_vaddr, end = begin + p.p_memsz;
      if (p.p_type != PT_LOAD || !(p.p_flags & PF_X) || code->begin < begin || code->begin >= end) continue;
      *code = {begin, end};
      return 1;
    }
    return 0;
  };
  Code found{inside, 0};
  return original_dl_iterate_phdr(look, &found) ? found : Code{};
}

/// From the first to the last of libc's functions.
Code mutex_functions() {
  const uint64_t functions[] = {
      address(original_pthread_cond_wait.get()),        address(original_pthread_cond_timedwait.get()),
      address(original_pthread_mutex_lock.get()),       address(original_pthread_mutex_trylock.get()),
      address(original_pthread_mutex_timedlock.get()),  address(original_pthread_mutex_unlock.get()),
      address(original_pthread_mutex_consistent.get()),
  };
  Code code{~0UL, 0};
  for (uint64_t f : functions) {
    if (f < code.begin) code.begin = f;
    if (f + kUnlockSize > code.end) code.end = f + kUnlockSize;
  }
  return code;
}

void learn_code() {
  if (__atomic_load_n(&mutex_code.end, __ATOMIC_ACQUIRE)) return;
  uint64_t spin = address(original_pthread_spin_lock.get()), libc = address(gnu_get_libc_version);
  Code code = text_around(address(original_pthread_mutex_lock.get()));
  if (libc >= code.begin && libc < code.end) code = mutex_functions();
  spin_code = {spin, spin + kSpinSize};
  mutex_code.begin = code.begin;
  __atomic_store_n(&mutex_code.end, code.end, __ATOMIC_RELEASE);
}

bool is_syscall(uint64_t at) {
  auto code = reinterpret_cast<const unsigned char*>(at);
  return code[0] == 0x0f && code[1] == 0x05;
}

/// The length of a `lock cmpxchg` of 32 bits to memory, or 0.
uint64_t exchange_size(uint64_t at) {
  auto code = reinterpret_cast<const unsigned char*>(at);
  uint64_t n = 1;
  if (code[0] != 0xf0) return 0;
  if ((code[n] & 0xf0) == 0x40) ++n;
  if (code[n] != 0x0f || code[n + 1] != 0xb1) return 0;
  unsigned mode = code[n + 2] >> 6, base = code[n + 2] & 7;
  n += 3 + (mode != 3 && base == 4);
  return mode == 1 ? n + 1 : mode == 2 || (mode == 0 && base == 5) ? n + 4 : n;
}
bool is_behind_exchange(uint64_t pc) {
  for (uint64_t size = 4; size <= 10; ++size)
    if (exchange_size(pc - size) == size) return true;
  return false;
}

// The restart.

/// A mutex may be gone without having been destroyed: read and written through the kernel, which tells.
bool read_memory(uint64_t from, void* to, size_t size) {
  iovec here{to, size}, there{reinterpret_cast<void*>(from), size};
  return sys(__NR_process_vm_readv, sys(__NR_getpid), &here, 1, &there, 1, 0) == static_cast<long>(size);
}
void write_word(uint64_t to, uint32_t word) {
  iovec here{&word, sizeof word}, there{reinterpret_cast<void*>(to), sizeof word};
  sys(__NR_process_vm_writev, sys(__NR_getpid), &here, 1, &there, 1, 0);
}

/// The word with the tid that its owner has now.
uint32_t renewed(uint32_t word) {
  auto owner = static_cast<int32_t>(word & FUTEX_TID_MASK);
  for (uint32_t i = 0; owner && i < load(&state.claimed); ++i)
    if (slot_at(i)->stopped_tid == owner)
      return (word & ~static_cast<uint32_t>(FUTEX_TID_MASK)) | static_cast<uint32_t>(slot_at(i)->real_tid);
  return word;
}

/// False: there is no such mutex any more.
bool renew(uint64_t address) {
  decltype(pthread_mutex_t::__data) m;
  using Data = decltype(m);
  if (!read_memory(address, &m, sizeof m) || !(m.__kind & kPiKind) || (m.__kind & ~kKinds)) return false;
  auto old = static_cast<uint32_t>(m.__lock);
  uint32_t word = renewed(old);
  if (word == old) return true;
  write_word(address + offsetof(Data, __lock), word);
  if (m.__owner != kInconsistent && m.__owner != kNotRecoverable)
    write_word(address + offsetof(Data, __owner), word & FUTEX_TID_MASK);
  return true;
}

/// A word that a thread waits for in the kernel and that belongs to no mutex we know.
void renew_waited_for(const ThreadSlot* slot) {
  if (slot->dead) return;
  Frame frame(slot->frame);
  constexpr uint64_t kLockPi2 = 13;
  uint64_t operation = frame.argument(1) & static_cast<uint64_t>(FUTEX_CMD_MASK), address = frame.argument(0);
  uint32_t word;
  if (frame.result() != __NR_futex || (operation != FUTEX_LOCK_PI && operation != kLockPi2)) return;
  if (!pi_registry.contains(address) && read_memory(address, &word, sizeof word)) write_word(address, renewed(word));
}

// The wait for a condition.

Hook<void (*)(void*, void (*)(void*), void*), "_pthread_cleanup_push"> push_cleanup;
Hook<void (*)(void*, int), "_pthread_cleanup_pop"> pop_cleanup;

void end_wait(void*) {
  hide_real_tid();
}

}  // namespace

bool in_pi_code(uint64_t pc) {
  if (pc < mutex_code.begin || pc >= mutex_code.end || (pc >= spin_code.begin && pc < spin_code.end)) return false;
  return !is_syscall(pc) && !is_syscall(pc - kSyscallSize) && !is_behind_exchange(pc);
}

void pi_mutex_made() {
  learn_code();
  if (ids_moved()) original_dl_iterate_phdr(redirect_new_libraries, nullptr);
}

void shared_robust_made() {
  has_shared_robust = true;
  if (ids_moved()) original_dl_iterate_phdr(redirect_new_libraries, nullptr);
}

void renew_pi_mutexes() {
  if (!pi_registry.empty()) pi_registry.keep_if(renew);
  if (!pi_registry.empty() || has_shared_robust) redirect_calls();
  for (uint32_t i = 0; i < load(&state.claimed); ++i) renew_waited_for(slot_at(i));
}

void ScopedConditionWait::begin(pthread_mutex_t* mutex) {
  show_real_tid();
  correct_owner(mutex);
  push_cleanup(&cleanup_, end_wait, nullptr);
}
void ScopedConditionWait::end() {
  pop_cleanup(&cleanup_, 0);
  hide_real_tid();
}

void ScopedMutexCall::begin(pthread_mutex_t* mutex) {
  show_real_tid();
  correct_owner(mutex);
}
void ScopedMutexCall::end() {
  hide_real_tid();
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (!is_pi(mutex)) return original_pthread_cond_wait(condition, mutex);
  ScopedConditionWait wait(mutex);
  return original_pthread_cond_wait(condition, mutex);
}
