// Paths under /proc after a restart: their numbers are virtual ones.
#pragma once
#include <stddef.h>

#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/state.h"

namespace mig {

constexpr size_t kProcPathSize = 4096;

/// There was a restart (of this program, or of the job before it began), and the path lies under /proc or is relative.
inline bool may_be_moved(const char* path) {
  if (__builtin_expect(state.generation == 0 && !ids_moved(), true) || !path || !path[0]) return false;
  return path[0] != '/' || (path[1] == 'p' && path[2] == 'r' && path[3] == 'o' && path[4] == 'c' && (path[5] == '/' || !path[5]));
}

/// A path as the kernel has it, for one call: no checkpoint changes the numbers meanwhile. /proc/self/exe is the program's own
/// executable.
class RealPath {
 public:
  RealPath(int directory, const char* path);
  RealPath(const RealPath&) = delete;
  RealPath& operator=(const RealPath&) = delete;

  int directory() const { return directory_; }
  const char* path() const { return path_; }
  void leave_mark() { mark_.leave(); }

 private:
  LooseMark mark_;
  int directory_;
  const char* path_;
  char buffer_[kProcPathSize];
};

/// Calls `call(directory, path as the kernel has it)`.
template <class Call>
__attribute__((noinline)) auto with_real_path(int directory, const char* path, Call call) {
  RealPath real(directory, path);
  return call(real.directory(), real.path());
}
template <class Call>
auto with_path(int directory, const char* path, Call call) {
  return may_be_moved(path) ? with_real_path(directory, path, call) : call(directory, path);
}

/// The same for a call that may not return, or leaves a child behind that shares this memory: it is not marked.
template <class Call>
__attribute__((noinline)) auto with_real_program(int directory, const char* path, Call call) {
  RealPath real(directory, path);
  real.leave_mark();
  return call(real.directory(), real.path());
}
template <class Call>
auto with_program(int directory, const char* path, Call call) {
  return may_be_moved(path) ? with_real_program(directory, path, call) : call(directory, path);
}

/// openat(2) by the kernel's convention; files that name processes as the program should see them.
long open_in_proc(int directory, const char* path, int flags, int mode);
/// True: opening the path for reading means more than opening another path.
bool is_rewritten(int directory, const char* path);
/// readlinkat(2) by the kernel's convention.
long read_link_in_proc(int directory, const char* path, char* buffer, size_t size);

/// What the names in an open directory are.
enum class Listing { kOther, kProcesses, kThreads };
Listing listing_of(int directory);
/// The number by which a name in such a listing is known; 0: it must not be listed; -1: the name is no number.
int32_t listed_id(const char* name);

}  // namespace mig
