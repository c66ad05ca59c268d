// Calls of the loaded libraries led elsewhere, after they have been bound.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace mig {

struct Redirection {
  const char* name;
  uint64_t original, target;
};

/// Lets every reference of the program and its libraries (not ours) to one of the names lead to its target, if it
/// leads to the original or is not bound yet. Another definition of the program's own stays.
void redirect(const Redirection* list, size_t count);

}  // namespace mig
