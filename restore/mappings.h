// The mappings of the image, in the order of their addresses, and the addresses that they leave free.
#pragma once
#include "restore/home.h"
#include "restore/image_file.h"

namespace mig {

struct PlannedMapping {
  MappingRecord record;
  const char* path;
  bool from_file;  ///< a private mapping whose file is here, unchanged

  MappingKind kind() const { return static_cast<MappingKind>(record.kind); }
};

extern HomeArray<PlannedMapping> mappings;

[[noreturn]] void mapping_failed(const PlannedMapping& m, const char* action, long result);

/// Before anything is changed: are the files there that memory needs?
void check_mapped_files();

/// The flags of mmap(2) that follow from a mapping's settings.
int map_flags(const MappingRecord& r);
void map_anonymous(const PlannedMapping& m);
void map_file(const PlannedMapping& m, bool shared);

/// The end of the mapping of the image that holds `address` and has all of `protection`; 0: there is none.
unsigned long mapped_until(unsigned long address, int protection);

/// The mapping that contains an address; addresses come in order, so the search goes on from the last one.
class MappingFinder {
 public:
  const PlannedMapping* find(uint64_t address) {
    if (at_ && address < mappings[at_].record.start) at_ = 0;
    while (at_ < mappings.size() && address >= mappings[at_].record.end) ++at_;
    return at_ < mappings.size() && address >= mappings[at_].record.start ? &mappings[at_] : nullptr;
  }

 private:
  size_t at_ = 0;
};

/// What the memory of a process needs: its mappings, with room to grow, and where the library wants the job's control block.
template <class Ranges>
void add_used_ranges(const ImageFile& file, Ranges& ranges) {
  file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& m, const char*) {
    uint64_t room = m.advice & kGrowsDown ? kGrowthRoom : 0;
    ranges.push({m.start > room ? m.start - room : 0, m.end});
  });
  file.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) {
    if (p.job_size) ranges.push({p.job_address, p.job_address + page_up(p.job_size)});
  });
}

/// A range of addresses that neither the image nor this process uses; 0: none.
unsigned long free_range(unsigned long size);
/// The image needs addresses in [start, end).
bool is_needed(unsigned long start, unsigned long end);

}  // namespace mig
