// Memory for the duration of one checkpoint: one reservation, handed out from its beginning and given back as a
// whole. Being one range, it is easily kept out of the image that is being written.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/base/arena.h"

namespace mig {

bool open_scratch();
void close_scratch();
/// Zeroed bytes, aligned to 64; nullptr when the reservation is used up.
void* scratch(size_t bytes);
bool in_scratch(uint64_t address);

struct Scratch {
  static constexpr bool kGivesBack = false;
  static void* grow(void* old, size_t old_bytes, size_t bytes);
  static void give_back(void*, size_t) {}
};

template <class T>
using ScratchArray = Array<T, Scratch>;

}  // namespace mig
