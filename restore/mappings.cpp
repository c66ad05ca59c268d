// A program's or library's pages are loaded from the image, unless the very file (size, time) is here: then it is mapped and
// only the changed pages are loaded.
//
// Memory that is to have huge pages, or none, is told so before it is filled: they cannot be had, or got rid of, later.
//
// Older kernels: droppable memory becomes ordinary memory (its flags "wiped on fork" and "not dumped" are saved as such); that it
// is never dropped is what the program would see on a host with enough memory.
#include "restore/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "restore/description.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {

HomeArray<PlannedMapping> mappings;

namespace {

constexpr int kMapDroppable = 0x08;  ///< Linux 6.11

HomeArray<AddressRange> taken;  ///< what the library and `mappings` need, in order

bool same_file(const MappingRecord& r, const struct stat& st) {
  return static_cast<uint64_t>(st.st_size) == r.file_size &&
         st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec == r.file_mtime;
}

void plan_mappings() {
  if (mappings.size()) return;
  image.each(RecordType::kMapping, [](const RecordHeader* h) {
    PlannedMapping m{record_as<MappingRecord>(h), record_tail(h), false};
    mappings.push(m);
  });
  add_used_ranges(image, taken);
  sort_ranges(taken.begin(), taken.size());
}

void choose_page_size(const MappingRecord& r) {
  if (r.advice & kHugePage) sys(__NR_madvise, r.start, r.end - r.start, MADV_HUGEPAGE);
  if (r.advice & kNoHugePage) sys(__NR_madvise, r.start, r.end - r.start, MADV_NOHUGEPAGE);
}

}  // namespace

void mapping_failed(const PlannedMapping& m, const char* action, long result) {
  char object[4300];
  Text t(object);
  (t << "memory at 0x").hex(m.record.start) << " (" << (m.path[0] ? m.path : "anonymous") << ")";
  give_up(Error::kNoMemory, object, action, result);
}

void check_mapped_files() {
  plan_mappings();
  for (PlannedMapping& m : mappings) {
    bool is_private = m.kind() == MappingKind::kFilePrivate;
    if (!is_private && m.kind() != MappingKind::kFileShared) continue;
    bool carried = m.record.flags & kMappingCarried;
    if (carried && (m.record.flags & kMappingFileDeleted)) continue;
    char buffer[4200];
    const char* path = mapped_path(m.path, buffer, sizeof buffer);
    struct stat st;
    long r = sys(__NR_newfstatat, AT_FDCWD, path, &st, 0);
    if (is_private) m.from_file = r == 0 && same_file(m.record, st);
    if (carried) continue;
    if (r < 0) give_up(Error::kFileMissing, path, "it is mapped into memory", r);
    if (is_private && !m.from_file) give_up(Error::kFileChanged, path, "it is mapped into memory and has changed since");
  }
}

int map_flags(const MappingRecord& r) {
  int flags = MAP_FIXED_NOREPLACE;
  if (r.advice & kGrowsDown) flags |= MAP_GROWSDOWN;
  if (r.advice & kNoReserve) flags |= MAP_NORESERVE;
  if (r.advice & kStack) flags |= MAP_STACK;
  if (r.advice & kHugeTlb) flags |= MAP_HUGETLB | (__builtin_ctz(r.page_size) << MAP_HUGE_SHIFT);
  return flags;
}

void map_anonymous(const PlannedMapping& m) {
  const MappingRecord& r = m.record;
  auto map = [&](int type) {
    return sys(__NR_mmap, r.start, r.end - r.start, r.protection, map_flags(r) | type | MAP_ANONYMOUS, -1, 0L);
  };
  long p = map((r.advice & kDroppable) ? kMapDroppable : MAP_PRIVATE);
  if (p == -EINVAL && (r.advice & kDroppable)) p = map(MAP_PRIVATE);
  if (failed(p)) mapping_failed(m, "map", p);
  choose_page_size(r);
}

void map_file(const PlannedMapping& m, bool shared) {
  const MappingRecord& r = m.record;
  char buffer[4200];
  const char* path = mapped_path(m.path, buffer, sizeof buffer);
  bool writable = shared && (r.protection & PROT_WRITE);
  ScopedFd fd(open_file(path, writable ? O_RDWR : O_RDONLY));
  if (!fd.ok()) give_up(Error::kFileMissing, path, "open", -fd.error());
  long p = sys(__NR_mmap, r.start, r.end - r.start, r.protection, map_flags(r) | (shared ? MAP_SHARED : MAP_PRIVATE), fd.get(),
               r.offset);
  if (failed(p)) mapping_failed(m, "map", p);
}

unsigned long mapped_until(unsigned long address, int protection) {
  size_t low = 0, high = mappings.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (mappings[middle].record.end <= address) low = middle + 1;
    else high = middle;
  }
  if (low == mappings.size()) return 0;
  const MappingRecord& r = mappings[low].record;
  return r.start <= address && (static_cast<int>(r.protection) & protection) == protection ? r.end : 0;
}

unsigned long free_range(unsigned long size) {
  return find_free_range(taken.begin(), taken.size(), size);
}

bool is_needed(unsigned long start, unsigned long end) {
  for (const AddressRange& range : taken)
    if (range.start < end && range.end > start) return true;
  return false;
}

}  // namespace mig
