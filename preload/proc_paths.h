// Paths under /proc after a restart: their numbers are virtual ones.
#pragma once
#include <stddef.h>

#include "preload/ids.h"
#include "preload/state.h"

namespace mig {

constexpr size_t kProcPathSize = 4096;

/// There was a restart (of this program, or of the job before it began), and the path lies under /proc.
inline bool is_moved_path(const char* path) {
  if (__builtin_expect(state.generation == 0 && !ids_moved(), true) || !path) return false;
  return path[0] == '/' && path[1] == 'p' && path[2] == 'r' && path[3] == 'o' && path[4] == 'c' && (path[5] == '/' || !path[5]);
}

/// The path with the kernel's numbers; /proc/self/exe becomes the program's own executable.
const char* real_proc_path(const char* path, char* buffer, size_t size);

/// Calls `call(path as the kernel has it)`.
template <class Call>
__attribute__((noinline)) auto with_real_path(const char* path, Call call) {
  char buffer[kProcPathSize];
  return call(real_proc_path(path, buffer, sizeof buffer));
}

/// openat(2) by the kernel's convention; /proc/self/stat and status as the program should see them.
long open_moved(int directory, const char* path, int flags, int mode);
long open_proc_or_file(int directory, const char* path, int flags, int mode);
/// True: opening the path means more than opening another path.
bool is_rewritten(const char* path);

/// What the names in an open directory are.
enum class Listing { kOther, kProcesses, kThreads };
Listing listing_of(int directory);
/// The number by which a name in such a listing is known; 0: it must not be listed; -1: the name is no number.
int32_t listed_id(const char* name);

/// readlinkat(2) by the kernel's convention.
long read_moved_link(const char* path, char* buffer, size_t size);
long read_proc_or_link(int directory, const char* path, char* buffer, long size);

}  // namespace mig
