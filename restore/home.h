// The stub's home: one range of addresses that no mapping of the image needs. The stub copies itself there, keeps
// its tables and stacks there, and everything else of its own process goes away.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/base/arena.h"

namespace mig {

struct AddressRange {
  uint64_t start, end;
};

void sort_ranges(AddressRange* ranges, size_t count);
/// A free range of `size` bytes outside `taken` (sorted) and outside what this process maps; 0: none.
uint64_t find_free_range(const AddressRange* taken, size_t count, uint64_t size);

/// Moves to `base` (`size` bytes, free) and calls `function(argument)` there on a stack of its own. `argument` is copied.
[[noreturn]] void move_home(uint64_t base, uint64_t size, void (*function)(void*), const void* argument, size_t argument_size);

AddressRange home_range();
/// Zeroed memory at home, aligned to 64; gives up when there is none left.
void* home_memory(size_t bytes);

/// The same on pages that the processes forked from this one share with it: of a file, or without one (-1).
void* share_home_memory(size_t bytes, int fd);

struct Home {
  static constexpr bool kGivesBack = false;
  static void* grow(void* old, size_t old_bytes, size_t bytes);
  static void give_back(void*, size_t) {}
};
template <class T>
using HomeArray = Array<T, Home>;

/// Applies the stub's own relocations for a copy of it at `base`.
void relocate(uint64_t base);
/// Where this copy of the stub begins.
uint64_t own_base();

}  // namespace mig
