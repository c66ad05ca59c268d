// Which pages of a mapping hold anything (Documentation/admin-guide/mm/pagemap.rst in the kernel).
//
// Found by trying: a read of untouched private memory maps the shared zero page, which both interfaces call
// present: PAGEMAP_SCAN has a category for it (PFNZERO); in the entries of /proc/thread-self/pagemap it looks like a file's
// page (bit 61) although the mapping is anonymous. A guard region (MADV_GUARD_INSTALL) is called swapped, and touching it is
// fatal: Linux 6.15 has a category and a bit (58) that tell it apart.
#include "preload/save/pages.h"

#include <errno.h>
#include <sys/ioctl.h>

namespace mig {
namespace {

struct Region {
  uint64_t start, end, categories;
};
struct ScanArguments {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr uint64_t kFile = 1 << 2, kPresent = 1 << 3, kSwapped = 1 << 4, kZeroPage = 1 << 5, kGuard = 1 << 8;

constexpr uint64_t kEntryPresent = 1UL << 63, kEntrySwapped = 1UL << 62, kEntryFile = 1UL << 61, kEntryGuard = 1UL << 58;

}  // namespace

PageMap::PageMap() : fd_(open_path("/proc/thread-self/pagemap", O_RDONLY)) {
  uint64_t start = page_down(reinterpret_cast<uint64_t>(this)), end = start + kPage;
  if (ok()) scan(start, end);
}

long PageMap::scan(uint64_t& start, uint64_t end) {
  if (!no_ioctl_) {
    long n = scan_by_ioctl(start, end);
    if (n != -ENOTTY && n != -EINVAL) return n;
    no_ioctl_ = true;
  }
  return scan_by_entries(start, end);
}

long PageMap::scan_by_ioctl(uint64_t& start, uint64_t end) {
  Region regions[kRuns];
  ScanArguments a{};
  a.size = sizeof a;
  a.start = start, a.end = end;
  a.vec = reinterpret_cast<uint64_t>(regions), a.vec_len = kRuns;
  a.category_inverted = kZeroPage, a.category_mask = kZeroPage;
  a.category_anyof_mask = kPresent | kSwapped;
  a.return_mask = no_guards_ ? kFile : kFile | kGuard;
  long n = sys(__NR_ioctl, fd_.get(), kPagemapScan, &a);
  if (n == -EINVAL && !no_guards_) {
    no_guards_ = true;
    return scan_by_ioctl(start, end);
  }
  if (n < 0) return n;
  for (long i = 0; i < n; ++i)
    runs_[i] = {regions[i].start, regions[i].end, !(regions[i].categories & kFile), (regions[i].categories & kGuard) != 0};
  start = a.walk_end > start ? a.walk_end : end;
  return n;
}

long PageMap::scan_by_entries(uint64_t& start, uint64_t end) {
  uint64_t entries[2048];
  int runs = 0;
  while (start < end) {
    uint64_t pages = (end - start) / kPage;
    if (pages > 2048) pages = 2048;
    long n = pread_all(fd_.get(), entries, pages * 8, start / kPage * 8);
    if (n < 0) return n;
    if (n < 8) return -EIO;
    for (long i = 0; i < n / 8; ++i, start += kPage) {
      bool guard = entries[i] & kEntryGuard;
      if (!guard && !(entries[i] & (kEntryPresent | kEntrySwapped))) continue;
      bool anonymous = !(entries[i] & kEntryFile);
      if (runs && runs_[runs - 1].end == start && runs_[runs - 1].anonymous == anonymous && runs_[runs - 1].guard == guard) {
        runs_[runs - 1].end += kPage;
        continue;
      }
      if (runs == kRuns) return runs;
      runs_[runs++] = {start, start + kPage, anonymous, guard};
    }
  }
  return runs;
}

}  // namespace mig
