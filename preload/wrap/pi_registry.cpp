// The mutexes with priority inheritance that the program has made: from pthread_mutex_init to pthread_mutex_destroy.
// Memory may be given back without destroying what was in it; such entries go at the next restart.
#include "preload/wrap/pi_registry.h"

#include <errno.h>

#include "preload/lasting.h"
#include "preload/save/robust_mutexes.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/pi_mutexes.h"

namespace mig {

constinit PiRegistry pi_registry;

namespace {

MIG_ORIGINAL(pthread_mutex_init);
MIG_ORIGINAL(pthread_mutex_destroy);

}  // namespace

PiRegistry::Block* PiRegistry::append(Block** link, uint64_t bytes) {
  auto made = static_cast<Block*>(map_lasting_pages(bytes));
  if (!made) return nullptr;
  made->size = (bytes - sizeof(Block)) / sizeof(uint64_t);
  Block* there = nullptr;
  if (__atomic_compare_exchange_n(link, &there, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return made;
  unmap_pages(made, bytes);
  return there;
}

uint64_t* PiRegistry::swap_in(Block* b, uint64_t address, uint64_t old, uint64_t now) {
  for (uint64_t i = 0; i < kPlaces; ++i) {
    uint64_t* e = place(b, address, i);
    uint64_t expected = old;
    if (__atomic_compare_exchange_n(e, &expected, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return e;
  }
  return nullptr;
}

uint64_t* PiRegistry::find(uint64_t address) {
  for (Block* b = __atomic_load_n(&first_, __ATOMIC_ACQUIRE); b; b = __atomic_load_n(&b->next, __ATOMIC_ACQUIRE))
    if (uint64_t* e = swap_in(b, address, address, address)) return e;
  return nullptr;
}

bool PiRegistry::add(uint64_t address) {
  if (find(address)) return true;
  uint64_t bytes = kPage;
  for (Block** link = &first_;; bytes *= 2) {
    Block* b = __atomic_load_n(link, __ATOMIC_ACQUIRE);
    if (!b && !(b = append(link, bytes))) return false;
    if (swap_in(b, address, 0, address)) return true;
    link = &b->next;
  }
}

void PiRegistry::remove(uint64_t address) {
  for (Block* b = __atomic_load_n(&first_, __ATOMIC_ACQUIRE); b; b = __atomic_load_n(&b->next, __ATOMIC_ACQUIRE))
    swap_in(b, address, address, 0);
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes) noexcept {
  int error = original_pthread_mutex_init(mutex, attributes);
  if (!error && is_shared_robust(mutex)) shared_robust_made();
  if (error || !is_pi(mutex)) return error;
  if (!pi_registry.add(reinterpret_cast<uint64_t>(mutex))) return ENOMEM;
  pi_mutex_made();
  return 0;
}

MIG_EXPORT int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept {
  bool was_pi = is_pi(mutex);
  int error = original_pthread_mutex_destroy(mutex);
  if (!error && was_pi) pi_registry.remove(reinterpret_cast<uint64_t>(mutex));
  return error;
}
