// An object is made once, as large as its largest mapping needs, where nothing else is; each mapping becomes a view of it:
// mremap with an old size of zero duplicates a shared mapping.
#include "restore/shared_memory.h"

#include <sys/mman.h>

#include "restore/contents.h"
#include "restore/spread.h"

namespace mig {
namespace {

/// Mapped where no process has anything, until each has its views of it.
struct SharedMemory {
  MappingRecord record;  ///< of one of its mappings
  uint64_t address, size;
};

HomeArray<SharedMemory> shared_memory;

bool same_object(const MappingRecord& a, const MappingRecord& b) {
  return a.inode == b.inode && a.device == b.device && a.kind == b.kind;
}

uint64_t end_in_object(const MappingRecord& r) {
  return r.offset + (r.end - r.start);
}

uint64_t make_object(const MappingRecord& r, uint64_t address, uint64_t size) {
  int flags = (map_flags(r) & ~MAP_GROWSDOWN) | MAP_SHARED | MAP_ANONYMOUS;
  long p = sys(__NR_mmap, address, size, PROT_READ | PROT_WRITE, flags, -1, 0L);
  if (failed(p)) mapping_failed({r, "", false}, "map", p);
  return static_cast<uint64_t>(p);
}

void map_views(const MappingRecord& object, uint64_t whole) {
  for (const PlannedMapping& view : mappings) {
    if (!same_object(view.record, object)) continue;
    const MappingRecord& r = view.record;
    long at = sys(__NR_mremap, whole + r.offset, 0L, r.end - r.start, MREMAP_MAYMOVE | MREMAP_FIXED, r.start);
    if (failed(at)) mapping_failed(view, "map a view", at);
    sys(__NR_mprotect, r.start, r.end - r.start, r.protection);
  }
}

const SharedMemory* find_shared_memory(const MappingRecord& r) {
  for (const SharedMemory& s : shared_memory)
    if (same_object(s.record, r)) return &s;
  return nullptr;
}

bool is_nameless(const MappingRecord& r) {
  auto kind = static_cast<MappingKind>(r.kind);
  return kind == MappingKind::kSharedAnonymous || (kind == MappingKind::kMemfd && find_mapped_object(r.device, r.inode) < 0);
}

SpreadKey key_of(const MappingRecord& r) {
  return {r.kind, r.device, r.inode};
}

void list_shared_memory(const Plan& plan, const Spread& spread) {
  for (const PlannedProcess& p : plan.processes)
    p.file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& r, const char*) {
      if (!is_nameless(r) || !spread.has_several(key_of(r))) return;
      auto known = const_cast<SharedMemory*>(find_shared_memory(r));
      if (!known) {
        shared_memory.push({r, 0, 0});
        known = &shared_memory[shared_memory.size() - 1];
      }
      if (uint64_t end = end_in_object(r); end > known->size) known->size = end;
    });
}

}  // namespace

void make_shared_memory(const Plan& plan) {
  HomeArray<AddressRange> used;
  int32_t index = 0;
  for (const PlannedProcess& p : plan.processes) add_used_ranges(p.file, used);
  Spread spread(used.size());
  for (const PlannedProcess& p : plan.processes) {
    p.file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& r, const char*) {
      if (is_nameless(r)) spread.note(key_of(r), index);
    });
    ++index;
  }
  list_shared_memory(plan, spread);
  sort_ranges(used.begin(), used.size());
  for (SharedMemory& s : shared_memory) {
    uint64_t unit = s.record.page_size;
    s.size = (s.size + unit - 1) / unit * unit;
    uint64_t free = find_free_range(used.begin(), used.size(), s.size + unit);
    s.address = make_object(s.record, (free + unit - 1) / unit * unit, s.size);
  }
}

void map_shared_object(size_t index) {
  const MappingRecord& r = mappings[index].record;
  uint64_t size = 0;
  for (const PlannedMapping& other : mappings) {
    if (!same_object(other.record, r)) continue;
    if (&other < &mappings[index]) return;
    uint64_t end = end_in_object(other.record);
    size = end > size ? end : size;
  }
  if (const SharedMemory* made = find_shared_memory(r)) return map_views(r, made->address);
  uint64_t whole = make_object(r, free_range(size), size);
  map_views(r, whole);
  sys(__NR_munmap, whole, size);
}

bool map_described_object(const PlannedMapping& m) {
  const MappingRecord& r = m.record;
  int fd = find_mapped_object(r.device, r.inode);
  if (fd < 0) return false;
  long p = sys(__NR_mmap, r.start, r.end - r.start, r.protection, map_flags(r) | MAP_SHARED, fd, r.offset);
  if (failed(p)) mapping_failed(m, "map", p);
  return true;
}

void leave_shared_memory() {
  for (const SharedMemory& s : shared_memory) sys(__NR_munmap, s.address, s.size);
}

bool is_shared_memory(uint64_t address) {
  for (const SharedMemory& s : shared_memory)
    if (address >= s.address && address < s.address + s.size) return true;
  return false;
}

}  // namespace mig
