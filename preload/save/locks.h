// Locks on files and leases.
#pragma once
#include "preload/save/description.h"

namespace mig {

/// Writes the locks that were taken through this description, behind its record.
bool save_locks(Saving& saving, OpenDescription& d);

/// For a scope that closes a descriptor of the file of `d`, which drops the process's (POSIX) locks on it: notes them
/// and takes them again.
class ScopedProcessLocks {
 public:
  ScopedProcessLocks(const OpenDescription* begin, const OpenDescription* end, const OpenDescription& d);
  ~ScopedProcessLocks();

 private:
  struct Held {
    int32_t fd;
    FileLockRecord lock;
  };
  ScratchArray<Held> held_;
};

}  // namespace mig
