// Reloading memory: the mappings as they were, their contents, and what the kernel knows of them.
#pragma once

namespace mig {

struct Plan;
/// Before the processes are forked: nameless memory that several of them have mapped.
void make_shared_memory(const Plan& plan);

/// Makes every mapping of the image and loads its pages. Everything but the stub's home is gone before.
void restore_memory();

/// What needs the memory in place: protections, advice, locks, the kernel's memory bounds.
void finish_memory();

/// Unmaps everything of this process outside home and the vDSO; returns the vDSO's address (moved if in the way).
unsigned long clear_address_space();

/// The end of the mapping of the image that holds `address` and has all of `protection`; 0: there is none.
unsigned long mapped_until(unsigned long address, int protection);

/// A range of addresses that neither the image nor this process uses; 0: none.
unsigned long free_range(unsigned long size);

/// Before anything is changed: are the files there that memory needs?
void check_mapped_files();

}  // namespace mig
