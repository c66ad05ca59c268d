// Executing a program so that it stays covered, by the kernel's convention. Safe between vfork and exec, and in signal
// handlers.
#pragma once
#include "image/base/arena.h"
#include "preload/wrap/cover.h"

namespace mig {

constexpr size_t kMostOnStack = 16 << 10;

/// Calls `call(environment)` with an environment that covers the new program.
template <class Call>
auto with_cover(char* const environment[], Call call) {
  size_t size = covering_size(environment);
  if (__builtin_expect(!size, true)) return call(environment);
  if (size <= kMostOnStack) return call(const_cast<char* const*>(cover(environment, __builtin_alloca(size))));
  void* memory = map_pages(size);
  auto result = call(memory ? const_cast<char* const*>(cover(environment, memory)) : environment);
  unmap_pages(memory, size);
  return result;
}

/// execve(2).
long execute(const char* path, char* const argv[], char* const environment[]);
/// execveat(2).
long execute_at(int directory, const char* path, char* const argv[], char* const environment[], int flags);
/// execvpe(3).
long execute_searched(const char* file, char* const argv[], char* const environment[]);

}  // namespace mig
