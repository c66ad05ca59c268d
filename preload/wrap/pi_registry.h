// The mutexes with priority inheritance that the program has made.
#pragma once
#include <pthread.h>
#include <stdint.h>

#include "image/base/arena.h"

namespace mig {

/// A set of addresses. Lock-free, so that a thread may be stopped anywhere: an entry is one word, and a block once
/// reached stays. An address may stand in any of a few places of each block, so removing one leaves no gap to mind.
/// Constant-initialised; memory is taken when there is something to hold.
class PiRegistry {
 public:
  bool empty() const { return !__atomic_load_n(&first_, __ATOMIC_ACQUIRE); }
  bool contains(uint64_t address) { return find(address); }
  /// False: the kernel gave no memory.
  bool add(uint64_t address);
  void remove(uint64_t address);

  /// visit(address), which is kept if that gives true.
  template <class Visit>
  void keep_if(Visit visit) {
    for (Block* b = __atomic_load_n(&first_, __ATOMIC_ACQUIRE); b; b = __atomic_load_n(&b->next, __ATOMIC_ACQUIRE))
      for (uint64_t i = 0; i < b->size; ++i) {
        uint64_t address = __atomic_load_n(&b->entries()[i], __ATOMIC_ACQUIRE);
        if (address && !visit(address)) swap_in(b, address, address, 0);
      }
  }

 private:
  struct Block {
    Block* next;
    uint64_t size;
    uint64_t* entries() { return reinterpret_cast<uint64_t*>(this + 1); }
  };
  static constexpr uint64_t kPlaces = 16;  ///< where an address may stand in a block
  static uint64_t* place(Block* b, uint64_t address, uint64_t i) {
    return &b->entries()[((address / sizeof(void*) * 0x9e3779b97f4a7c15) >> 32) % (b->size - kPlaces) + i];
  }
  static uint64_t* swap_in(Block* b, uint64_t address, uint64_t old, uint64_t now);
  static Block* append(Block** link, uint64_t bytes);
  uint64_t* find(uint64_t address);

  Block* first_ = nullptr;
};

extern PiRegistry pi_registry;

}  // namespace mig
