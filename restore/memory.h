// Reloading memory: the mappings as they were, their contents, and what the kernel knows of them.
#pragma once
#include "restore/home.h"
#include "restore/image_file.h"

namespace mig {

struct Plan;
/// Before the processes are forked: nameless memory that several of them have mapped.
void make_shared_memory(const Plan& plan);

/// Makes every mapping of the image and loads its pages. Everything but the stub's home is gone before.
void restore_memory(const Plan& plan);

/// What needs the memory in place: protections, advice, locks, the kernel's memory bounds.
void finish_memory();

/// Unmaps everything of this process outside home and the vDSO; returns the vDSO's address (moved if in the way).
unsigned long clear_address_space();

/// The end of the mapping of the image that holds `address` and has all of `protection`; 0: there is none.
unsigned long mapped_until(unsigned long address, int protection);

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

/// Before anything is changed: are the files there that memory needs?
void check_mapped_files();

}  // namespace mig
