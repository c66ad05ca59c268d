// Which pages of a mapping hold anything.
#pragma once
#include <stdint.h>

#include "image/base/arena.h"
#include "image/base/file.h"

namespace mig {

struct PageRun {
  uint64_t start, end;
  bool anonymous;  ///< the process's own pages; false: pages of a file or shared object
  bool guard;      ///< no page, but a guard region
};

/// Reads /proc/thread-self/pagemap, by ioctl(PAGEMAP_SCAN) where the kernel has it (Linux 6.7), else entry by entry.
class PageMap {
 public:
  PageMap();
  bool ok() const { return fd_.ok(); }
  int error() const { return fd_.error(); }
  /// Untouched stretches cost no time.
  bool skips_holes() const { return !no_ioctl_; }

  /// Calls `visit(PageRun)` for the present or swapped pages of [start, end), in order; shared zero pages are left
  /// out. Returns 0 or a negative error number; `visit` returns 0 or a negative number to stop.
  template <class Visit>
  long each_run(uint64_t start, uint64_t end, Visit visit) {
    while (start < end) {
      long n = scan(start, end);
      if (n < 0) return n;
      for (long i = 0; i < n; ++i)
        if (long r = visit(runs_[i]); r < 0) return r;
    }
    return 0;
  }

 private:
  /// Fills runs_ from [start, end) and moves `start` to where the next call goes on.
  long scan(uint64_t& start, uint64_t end);
  long scan_by_ioctl(uint64_t& start, uint64_t end);
  long scan_by_entries(uint64_t& start, uint64_t end);

  static constexpr int kRuns = 256;
  ScopedFd fd_;
  bool no_ioctl_ = false;
  bool no_guards_ = false;  ///< the kernel does not tell them
  PageRun runs_[kRuns];
};

}  // namespace mig
