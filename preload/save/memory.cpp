// Saving memory: the pages of each mapping that hold anything, as runs in the process file.
//
// Nothing is written for pages that were never touched, and nothing for pages that hold only zeros: both come back
// as untouched memory. Files mapped privately travel whole if they are programs or libraries (the other host
// may have others), the unchanged pages once in the job, and with their changed pages only if they are data; the file is
// verified at the restart.
#include "preload/save/memory.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "image/base/checksum.h"
#include "image/base/text.h"
#include "image/device.h"
#include "preload/api.h"
#include "preload/job/shared.h"
#include "preload/save/contents.h"
#include "preload/save/pages.h"

namespace mig {
namespace {

constexpr size_t kManyRuns = 64;  ///< from here on the weight of their headers is looked at
constexpr size_t kShortRun = 16;  ///< pages: shorter runs on average are packed
constexpr uint64_t kWindow = 256 << 10;

bool is_zero_page(const char* page) {
  auto w = reinterpret_cast<const uint64_t*>(page);
  for (size_t i = 0; i < kPage / 8; i += 8)
    if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7]) return false;
  return true;
}

uint32_t segment_flags(const MappingRecord& r) {
  return ((r.protection & PROT_READ) ? PF_R : 0u) | ((r.protection & PROT_WRITE) ? PF_W : 0u) |
         ((r.protection & PROT_EXEC) ? PF_X : 0u);
}

/// Saves one mapping: collects its runs of data as segments.
class MappingSaver {
 public:
  MappingSaver(ImageWriter& writer, PageMap& pages, const Mapping& mapping)
      : writer_(writer), pages_(pages), mapping_(mapping), r_(mapping.record), first_(writer.segments().size()) {
    direct_ = (r_.protection & PROT_READ) && !r_.protection_key;
    skips_zeros_ = r_.kind != static_cast<uint32_t>(MappingKind::kFilePrivate);
    flags_ = segment_flags(r_);
  }

  long save() {
    long r = 0;
    switch (static_cast<MappingKind>(r_.kind)) {
      case MappingKind::kAnonymous: r = save_present(); break;
      case MappingKind::kFilePrivate: r = (r_.flags & kMappingCarried) ? save_all() : save_changed(); break;
      case MappingKind::kMemfd:
        if (object_facts(object()) & kHasContents) break;  // by way of its descriptor
        [[fallthrough]];
      case MappingKind::kSharedAnonymous: r = save_shared(); break;
      case MappingKind::kAsyncRing: r = save_run(r_.start, r_.end, 0); break;
      default: break;
    }
    return r < 0 ? r : close();
  }

 private:
  /// The runs of pages that exist; guard regions among them become records.
  template <class Visit>
  long each_run(Visit visit) {
    return pages_.each_run(r_.start, r_.end, [&](const PageRun& run) -> long {
      if (!run.guard) return visit(run);
      return writer_.record(RecordType::kGuard, GuardRecord{run.start, run.end}) ? 0 : -ENOMEM;
    });
  }

  /// Reading page map entries of a reserve of terabytes takes seconds; the ioctl skips holes.
  bool is_surely_empty() const { return !pages_.skips_holes() && !mapping_.resident && !(r_.advice & kHugeTlb); }

  long save_present() {
    if (is_surely_empty()) return 0;
    return each_run([&](const PageRun& run) { return save_run(run.start, run.end, 0); });
  }
  long save_changed() {
    if (is_surely_empty()) return 0;
    return each_run([&](const PageRun& run) { return run.anonymous ? save_run(run.start, run.end, 0) : 0; });
  }
  /// The changed pages, and between them those that the file holds.
  long save_all() {
    uint64_t at = r_.start, file_end = r_.end;
    if (!(r_.flags & kMappingFileDeleted)) {
      uint64_t behind = r_.file_size > r_.offset ? page_up(r_.file_size - r_.offset) : 0;
      if (behind < r_.end - r_.start) file_end = r_.start + behind;
    } else if (!mapping_.resident) {
      return save_deleted();
    }
    long r = each_run([&](const PageRun& run) -> long {
      if (!run.anonymous) return 0;
      if (run.start > at)
        if (long e = save_file_pages(at, run.start < file_end ? run.start : file_end); e < 0) return e;
      at = run.end;
      return save_run(run.start, run.end, 0);
    });
    if (r < 0) return r;
    return save_file_pages(at, file_end);
  }
  long save_deleted() { return save_file_pages(r_.start, r_.end); }

  /// Those of a file that has a name are saved once in the job, however many processes have it mapped.
  long save_file_pages(uint64_t start, uint64_t end) {
    if (start >= end) return 0;
    if (r_.flags & kMappingFileDeleted) return save_from_file(start, end, 0);
    ScratchArray<Range> granted;
    if (!claim_range(file(), {offset_of(start), offset_of(end)}, granted)) return -ENOMEM;
    for (const Range& g : granted) {
      if (long r = leave_to_others(start, address_of(g.start)); r < 0) return r;
      if (long r = save_from_file(address_of(g.start), address_of(g.end), kSegmentClean); r < 0) return r;
      start = address_of(g.end);
    }
    return leave_to_others(start, end);
  }
  /// Pages behind the end of the file cannot be read, and have nothing to save: what is before them is found by halves.
  long save_from_file(uint64_t start, uint64_t end, uint32_t clean) {
    bool direct = direct_;
    direct_ = false;
    long r = save_run(start, end, clean);
    direct_ = direct;
    if (r != -EIO) return r;
    if (end - start <= kPage) return 0;
    uint64_t middle = start + page_up((end - start) / 2);
    r = save_from_file(start, middle, clean);
    return r < 0 ? r : save_from_file(middle, end, clean);
  }
  long leave_to_others(uint64_t start, uint64_t end) {
    if (start >= end) return 0;
    writer_.require(kPagesElsewhere);
    return writer_.segments().push({start, 0, end - start, kDataOffset, flags_ | kSegmentClean}) ? 0 : -ENOMEM;
  }
  /// Its contents, as far as a restart looks at them.
  ObjectName file() const {
    const uint64_t contents[] = {r_.inode, r_.file_size, static_cast<uint64_t>(r_.file_mtime)};
    return {stat_device(r_.device), checksum(contents, sizeof contents)};
  }

  ObjectName object() const { return {stat_device(r_.device), r_.inode}; }
  uint64_t offset_of(uint64_t address) const { return address - r_.start + r_.offset; }
  uint64_t address_of(uint64_t offset) const { return offset - r_.offset + r_.start; }

  /// What no other process has saved.
  long save_shared() {
    ScratchArray<Range> granted;
    for (uint64_t at = r_.start, behind; at < r_.end; at = behind) {
      uint64_t stop = saved_until(at, r_.end, behind);
      if (stop > at && !claim_range(object(), {offset_of(at), offset_of(stop)}, granted)) return -ENOMEM;
    }
    for (const Range& g : granted)
      if (long r = save_cached(address_of(g.start), address_of(g.end)); r < 0) return r;
    return 0;
  }

  /// Pages of a shared object that exist, whether or not this mapping has touched them (mincore(2)).
  long save_cached(uint64_t at, uint64_t end) {
    unsigned char present[256];
    while (at < end) {
      uint64_t size = end - at < sizeof present * kPage ? end - at : sizeof present * kPage;
      if (long r = sys(__NR_mincore, at, size, present); r < 0) return r;
      for (uint64_t i = 0; i < size / kPage; ++i) {
        if (!(present[i] & 1)) continue;
        uint64_t begin = i;
        while (i < size / kPage && (present[i] & 1)) ++i;
        if (long r = save_run(at + begin * kPage, at + i * kPage, 0); r < 0) return r;
      }
      at += size;
    }
    return 0;
  }

  long save_run(uint64_t start, uint64_t end, uint32_t clean) {
    while (start < end) {
      uint64_t behind;
      uint64_t stop = saved_until(start, end, behind);
      if (long r = save_range(start, stop, clean); r < 0) return r;
      start = behind;
    }
    return 0;
  }

  long save_range(uint64_t start, uint64_t end, uint32_t clean) {
    while (start < end) {
      uint64_t stop = end - start < kWindow ? end : start + kWindow;
      if (long r = save_window(start, stop, clean); r < 0) return r;
      start = stop;
    }
    return 0;
  }

  long save_window(uint64_t start, uint64_t end, uint32_t clean) {
    uint64_t begin = start;
    for (uint64_t at = start; at < end && direct_ && skips_zeros_; at += kPage) {
      if (!is_zero_page(reinterpret_cast<const char*>(at))) continue;
      if (long r = save_data(begin, at, clean); r < 0) return r;
      begin = at + kPage;
    }
    return save_data(begin, end, clean);
  }

  long save_data(uint64_t start, uint64_t end, uint32_t clean) {
    if (start >= end) return 0;
    uint64_t offset = writer_.position();
    if (long r = writer_.append(start, end - start, direct_); r < 0) return r;
    auto& segments = writer_.segments();
    if (segments.size() > first_) {
      Segment& last = segments[segments.size() - 1];
      if (last.address + last.file_size == start && last.flags == (flags_ | clean)) {
        last.file_size += end - start;
        return 0;
      }
    }
    return segments.push({start, end - start, end - start, offset, flags_ | clean}) ? 0 : -ENOMEM;
  }

  /// Gives the gaps to the segments before them, or packs the runs if they are many and short.
  long close() {
    auto& segments = writer_.segments();
    size_t runs = segments.size() - first_;
    uint64_t data = 0;
    for (size_t i = first_; i < segments.size(); ++i) data += segments[i].file_size;
    bool shows_file = (r_.flags & kMappingCarried) && !(r_.flags & kMappingFileDeleted);
    if (!shows_file && runs >= kManyRuns && data / kPage / runs < kShortRun) return pack(data);
    uint64_t from = r_.start;
    if (!runs || segments[first_].address != r_.start) {
      size_t begin = segments.size();
      if (!segments.push({})) return -ENOMEM;
      for (size_t i = begin; i > first_; --i) segments[i] = segments[i - 1];
      segments[first_] = {from, 0, 0, kDataOffset, flags_};
    }
    for (size_t i = first_; i < segments.size(); ++i) {
      uint64_t next = i + 1 < segments.size() ? segments[i + 1].address : r_.end;
      segments[i].memory_size = next - segments[i].address;
    }
    return 0;
  }

  long pack(uint64_t data) {
    auto& segments = writer_.segments();
    size_t bytes = ((r_.end - r_.start) / kPage + 63) / 64 * 8;
    auto bitmap = static_cast<unsigned char*>(scratch(bytes));
    if (!bitmap) return -ENOMEM;
    for (size_t i = first_; i < segments.size(); ++i) {
      uint64_t page = (segments[i].address - r_.start) / kPage, last = page + segments[i].file_size / kPage;
      for (; page < last; ++page) bitmap[page / 8] |= static_cast<unsigned char>(1 << page % 8);
    }
    PackedPagesRecord packed{r_.start, r_.end, segments[first_].offset, data / kPage};
    segments.resize_down(first_);
    if (!segments.push({r_.start, 0, r_.end - r_.start, kDataOffset, flags_})) return -ENOMEM;
    return writer_.record(RecordType::kPackedPages, packed, bitmap, bytes) ? 0 : -ENOMEM;
  }

  ImageWriter& writer_;
  PageMap& pages_;
  const Mapping& mapping_;
  const MappingRecord& r_;
  size_t first_;
  bool direct_;       ///< readable where it stands
  bool skips_zeros_;  ///< not where a file shows through unsaved pages
  uint32_t flags_;
};

/// A file whose contents travel comes back by way of its descriptor.
void become_view(MappingRecord& r) {
  if (r.kind == static_cast<uint32_t>(MappingKind::kFileShared) &&
      (object_facts({stat_device(r.device), r.inode}) & kHasContents))
    r.kind = static_cast<uint32_t>(MappingKind::kMemfd);
}

}  // namespace

bool save_memory(ImageWriter& writer, Mappings& mappings) {
  PageMap pages;
  if (!pages.ok()) return refuse_errno(Error::kUnsupportedSetting, "/proc/thread-self/pagemap", "open", -pages.error());
  for (Mapping& m : mappings) {
    char object[160];
    become_view(m.record);
    Text(object).put('m') << "apping " << m.path << " at " << m.record.start;
    if (const char* problem = mapping_problem(m)) return refuse(Error::kUnsupportedMapping, object, problem);
    if (!writer.record(RecordType::kMapping, m.record, m.path, strlen(m.path) + 1))
      return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
    long r = MappingSaver(writer, pages, m).save();
    if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG) return refuse_errno(Error::kNoSpace, "the image", "write", r);
    if (r < 0) return refuse_errno(Error::kWriteFailed, object, "save", r);
  }
  return true;
}

}  // namespace mig
