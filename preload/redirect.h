// Calls of the loaded libraries led elsewhere, after they have been bound.
#pragma once
#include <stddef.h>

namespace mig {

struct Redirection {
  const char* name;
  void* target;
};

/// Lets every reference of the program and its libraries (not ours) to one of the names lead to its target.
void redirect(const Redirection* list, size_t count);

}  // namespace mig
