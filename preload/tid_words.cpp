// The tid that libc keeps in each thread's descriptor (struct pthread).
//
// glibc's mutexes and rwlocks compare this word with the owner that a lock remembers, in user space, so after a restart
// it keeps the virtual tid, as all memory does, and every lock that was held is still held by the right thread. Where
// glibc hands the word to the kernel (pthread_kill and friends), wrappers translate.
//
// Where it is: the kernel has its address (PR_GET_TID_ADDRESS needs CONFIG_CHECKPOINT_RESTORE); else it is the only
// aligned word near the beginning of the descriptor with that value.
//
// A thread that ends with a robust mutex in its hands: the kernel walks the thread's robust list and marks the mutexes
// whose word holds the thread's *real* tid, so it passes over those of a thread with a virtual one. A destructor of
// thread-specific data, in the last round of destructors, does the kernel's work (kernel/futex/core.c,
// exit_robust_list). Mutexes with priority inheritance hold the real tid (preload/wrap/pi_mutexes.cpp): they stay in the list,
// because only the kernel can hand them on. A process that ends by itself does the same for what its last thread holds of mutexes
// that other processes have too; of one that is killed, the others find out (preload/save/robust_mutexes.cpp).
#include "preload/tid_words.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "image/base/futex.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/start.h"
#include "preload/wrap/hook.h"

namespace mig {
namespace {

// In libpthread before glibc 2.34: looked up, so that the library needs libc only.
MIG_ORIGINAL(pthread_key_create);
MIG_ORIGINAL(pthread_setspecific);

constexpr long kSearched = 4096;
constexpr int kRobustLimit = 2048;          ///< ROBUST_LIST_LIMIT of the kernel
constexpr pthread_key_t kKeysInPlace = 32;  ///< more need malloc in pthread_setspecific
constexpr int kDestructorRounds = 4;        ///< PTHREAD_DESTRUCTOR_ITERATIONS

long word_offset = 0;
pthread_key_t end_key;
enum : uint8_t { kUntried, kHasKey, kNoKey } end_key_state = kUntried;

struct RobustNode {
  RobustNode* next;
};
struct RobustHead {
  RobustNode list;
  long futex_offset;
  RobustNode* pending;
};

RobustNode* plain(const RobustNode* node) {
  return reinterpret_cast<RobustNode*>(reinterpret_cast<uint64_t>(node) & ~1UL);
}
/// A pointer to a mutex with priority inheritance is odd.
bool leads_to_pi(const RobustNode* node) {
  return reinterpret_cast<uint64_t>(node) & 1;
}
/// glibc's pointer back stands before the node and leads to its like.
RobustNode*& previous(RobustNode* node) {
  return node[-1].next;
}

MIG_INLINE int32_t* own_tid_word() {
  auto self = reinterpret_cast<uint64_t>(__builtin_thread_pointer());
  return word_offset ? reinterpret_cast<int32_t*>(self + static_cast<uint64_t>(word_offset)) : nullptr;
}

/// Another thread's: initial-exec memory is at the same distance from every thread pointer.
ShownTid* shown_of(pthread_t thread) {
  auto distance = reinterpret_cast<uint64_t>(&shown_tid) - reinterpret_cast<uint64_t>(__builtin_thread_pointer());
  return reinterpret_cast<ShownTid*>(thread + distance);
}

void mark_owner_died(RobustNode* node, long offset, uint32_t tid) {
  auto word = reinterpret_cast<uint32_t*>(reinterpret_cast<char*>(node) + offset);
  uint32_t value = load(word);
  do {
    if ((value & FUTEX_TID_MASK) != tid) return;
  } while (!__atomic_compare_exchange_n(word, &value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE));
  if (!(value & FUTEX_WAITERS)) return;
  sys(__NR_futex, word, FUTEX_WAKE, 1);
  sys(__NR_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

/// The word is the first of a mutex, whose kind says whether other processes may have it.
bool is_shared(const RobustNode* node, long offset) {
  constexpr int kShared = 128;  // PTHREAD_MUTEX_PSHARED_BIT of glibc
  return reinterpret_cast<const pthread_mutex_t*>(reinterpret_cast<const char*>(node) + offset)->__data.__kind & kShared;
}

void give_up_robust_mutexes(uint32_t tid, bool shared_only) {
  RobustHead* head = nullptr;
  size_t size = 0;
  if (sys(__NR_get_robust_list, 0, &head, &size) < 0 || !head || size != sizeof *head) return;
  RobustNode *last = &head->list, *link = head->list.next;
  for (int i = 0; i < kRobustLimit && plain(link) && plain(link) != &head->list; ++i) {
    RobustNode *node = plain(link), *next = node->next;
    if (leads_to_pi(link)) {
      last->next = link;
      previous(node) = last - 1;
      last = node;
    } else if (!shared_only || is_shared(node, head->futex_offset)) {
      mark_owner_died(node, head->futex_offset, tid);
    }
    link = next;
  }
  last->next = &head->list;
}

void thread_ends(void* round) {
  auto n = reinterpret_cast<long>(round);
  if (n < kDestructorRounds && original_pthread_setspecific(end_key, reinterpret_cast<void*>(n + 1)) == 0) return;
  int32_t* word = own_tid_word();
  auto real = static_cast<int32_t>(sys(__NR_gettid));
  if (!word || *word <= 0 || !ids_moved()) return;
  int32_t number = *word;
  if (number != real) give_up_robust_mutexes(static_cast<uint32_t>(number), false);
  if (real != ids.real_pid) remove_id(number, real);
}

}  // namespace

MIG_START void learn_tid_word() {
  auto self = reinterpret_cast<uint64_t>(__builtin_thread_pointer());
  uint64_t address = 0;
  sys(__NR_prctl, PR_GET_TID_ADDRESS, &address, 0, 0, 0);
  if (address > self && address < self + kSearched) word_offset = static_cast<long>(address - self);
  for (long at = 4; !word_offset && at < kSearched; at += 4)
    if (*reinterpret_cast<int32_t*>(self + static_cast<uint64_t>(at)) == ids.real_pid) word_offset = at;
}

void expect_threads() {
  if (end_key_state != kUntried) return;
  bool has =
      original_pthread_key_create.get() && original_pthread_key_create(&end_key, thread_ends) == 0 && end_key < kKeysInPlace;
  end_key_state = has ? kHasKey : kNoKey;
}

int32_t* tid_word(pthread_t thread) {
  return word_offset ? reinterpret_cast<int32_t*>(thread + static_cast<uint64_t>(word_offset)) : nullptr;
}

MIG_START void give_up_shared_mutexes() {
  const int32_t* word = own_tid_word();
  if (!word || *word <= 0 || !ids_moved() || *word == static_cast<int32_t>(sys(__NR_gettid))) return;
  give_up_robust_mutexes(static_cast<uint32_t>(*word), true);
}

void set_first_tid(int32_t number) {
  if (int32_t* word = own_tid_word()) *word = number;
}

void watch_thread_end() {
  if (end_key_state == kHasKey && ids_moved()) original_pthread_setspecific(end_key, reinterpret_cast<void*>(1L));
}

/// A thread that a checkpoint caught before it came here has been through a restart: its word holds the number of its
/// birth, the table knows it, and there is nothing left to settle.
void settle_new_thread() {
  Mark not_split;
  int32_t* word = own_tid_word();
  auto real = static_cast<int32_t>(sys(__NR_gettid));
  if (!word || !ids_moved() || *word != real) return;
  int32_t number = adopt_new_task(real);
  if (number == real) return;
  *word = number;
  watch_thread_end();
}

void renew_tid_word(int32_t virtual_tid) {
  int32_t* word = own_tid_word();
  auto real = static_cast<int32_t>(sys(__NR_gettid));
  if (shown_tid.real) shown_tid.real = real;
  if (word && *word > 0 && (shown_tid.depth || *word != virtual_tid)) *word = real;
}

MIG_START void forget_shown_tid() {
  shown_tid = {};
}

MIG_UNSPLIT void show_real_tid() {
  if (shown_tid.depth++ || !word_offset) return;
  int32_t* word = own_tid_word();
  if (!shown_tid.real) shown_tid.real = static_cast<int32_t>(sys(__NR_gettid));
  if (!shown_tid.virtual_number) {
    int32_t number = *word == shown_tid.real ? virtual_task(shown_tid.real) : *word;
    __atomic_store_n(&shown_tid.virtual_number, number, __ATOMIC_RELEASE);
  }
  if (*word != shown_tid.real) __atomic_store_n(word, shown_tid.real, __ATOMIC_RELEASE);
}

MIG_UNSPLIT void hide_real_tid() {
  if (!shown_tid.depth || --shown_tid.depth || !word_offset) return;
  int32_t* word = own_tid_word();
  if (*word != shown_tid.virtual_number) __atomic_store_n(word, shown_tid.virtual_number, __ATOMIC_RELEASE);
}

int32_t virtual_tid_of(pthread_t thread) {
  int32_t word = __atomic_load_n(tid_word(thread), __ATOMIC_ACQUIRE);
  if (word <= 0) return word;
  int32_t shown = __atomic_load_n(&shown_of(thread)->virtual_number, __ATOMIC_ACQUIRE);
  return shown ? shown : word;
}

ScopedRealTid::ScopedRealTid(pthread_t thread) : thread_(thread), word_(ids_moved() ? tid_word(thread) : nullptr) {
  if (!word_) return;
  virtual_ = virtual_tid_of(thread);
  int32_t expected = virtual_, real = real_id(virtual_);
  if (virtual_ <= 0 || real == virtual_ ||
      !__atomic_compare_exchange_n(word_, &expected, real, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    word_ = nullptr;
}

/// A restart in between may have put another number there; a thread that has ended has zero; one that is itself showing its
/// real tid needs it still.
void ScopedRealTid::end() {
  if (!word_) return;
  int32_t now = __atomic_load_n(word_, __ATOMIC_ACQUIRE);
  bool shown = __atomic_load_n(&shown_of(thread_)->depth, __ATOMIC_ACQUIRE);
  while (!shown && now > 0 && !__atomic_compare_exchange_n(word_, &now, virtual_, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
  word_ = nullptr;
}

}  // namespace mig
