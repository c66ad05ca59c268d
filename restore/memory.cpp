// Anonymous memory comes back anonymous: fresh pages, filled from the process file. (Mapping the image file privately instead
// would be faster and wrong: MADV_DONTNEED would then give back stale bytes instead of zeros.) The file is read front to back;
// each block of it is verified.
#include "restore/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "restore/block_loader.h"
#include "restore/failure.h"
#include "restore/file_pages.h"
#include "restore/mappings.h"
#include "restore/shared_memory.h"

namespace mig {
namespace {

void make_mapping(size_t index) {
  const PlannedMapping& m = mappings[index];
  switch (m.kind()) {
    case MappingKind::kAnonymous:
    case MappingKind::kAsyncRing: return map_anonymous(m);
    case MappingKind::kFilePrivate:
      if (m.from_file || !(m.record.flags & kMappingCarried)) return map_file(m, false);
      return map_anonymous(m);
    case MappingKind::kFileShared: return map_file(m, true);
    case MappingKind::kMemfd:
      if (map_described_object(m)) return;
      [[fallthrough]];
    case MappingKind::kSharedAnonymous: return map_shared_object(index);
    default: mapping_failed(m, "this kind of mapping", -EOPNOTSUPP);
  }
}

void make_writable(const PlannedMapping& m, uint64_t start, uint64_t end) {
  if (m.record.protection & PROT_WRITE) return;
  long r = sys(__NR_mprotect, start, end - start, PROT_READ | PROT_WRITE);
  if (r < 0) mapping_failed(m, "make writable for loading", r);
}

void load_run(BlockLoader& loader, MappingFinder& finder, uint64_t address, uint64_t size, bool clean) {
  const PlannedMapping* m = finder.find(address);
  if (!m || address + size > m->record.end) give_up(Error::kChecksum, image.path(), "a run of pages lies outside every mapping");
  if (clean && m->from_file) return loader.add(0, size);
  make_writable(*m, address, address + size);
  loader.add(address, size);
}

void load_packed(BlockLoader& loader, MappingFinder& finder, const PackedPagesRecord& p, const char* tail) {
  auto bitmap = reinterpret_cast<const unsigned char*>(tail);
  uint64_t pages = (p.end - p.start) / kPage;
  for (uint64_t i = 0; i < pages; ++i) {
    if (!(bitmap[i / 8] >> i % 8 & 1)) continue;
    uint64_t first = i;
    while (i + 1 < pages && (bitmap[(i + 1) / 8] >> (i + 1) % 8 & 1)) ++i;
    load_run(loader, finder, p.start + first * kPage, (i + 1 - first) * kPage, false);
  }
}

/// Segments and packed mappings stand in the file in address order; a packed mapping is reached when the file
/// position is.
void load_pages() {
  BlockLoader loader;
  MappingFinder finder;
  size_t next = 1;
  auto load_segments = [&](uint64_t until) {
    for (; next < image.segment_count(); ++next) {
      const Elf64_Phdr& s = image.segments()[next];
      if (!s.p_filesz) continue;
      if (s.p_offset >= until) return;
      load_run(loader, finder, s.p_vaddr, s.p_filesz, s.p_flags & kSegmentClean);
    }
  };
  image.each_as<PackedPagesRecord>(RecordType::kPackedPages, [&](const PackedPagesRecord& p, const char* tail) {
    load_segments(p.file_offset);
    load_packed(loader, finder, p, tail);
  });
  load_segments(~0UL);
  loader.finish();
}

/// Before the own pages, some of which lie among them.
void load_pages_of_others(const Plan& plan) {
  MappingFinder finder;
  for (size_t i = 1; i < image.segment_count(); ++i) {
    const Elf64_Phdr& s = image.segments()[i];
    const PlannedMapping* m = !s.p_filesz && (s.p_flags & kSegmentClean) ? finder.find(s.p_vaddr) : nullptr;
    if (!m || m->from_file) continue;
    uint64_t end = m->record.start + page_up(m->record.file_size - m->record.offset);
    if (end > s.p_vaddr + s.p_memsz) end = s.p_vaddr + s.p_memsz;
    make_writable(*m, s.p_vaddr, end);
    load_file_pages(plan, m->record, s.p_vaddr, end - s.p_vaddr);
  }
}

}  // namespace

void restore_memory(const Plan& plan) {
  for (size_t i = 0; i < mappings.size(); ++i) make_mapping(i);
  leave_shared_memory();
  load_pages_of_others(plan);
  load_pages();
}

}  // namespace mig
