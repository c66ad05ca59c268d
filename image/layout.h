// The layout of one process file, VPID.core: an ELF core (ET_CORE) that gdb and readelf open as it is.
//
//   offset 0        ELF header, alone in its page
//   offset 4096     data: the saved pages, in address order, nothing between them
//   tail_offset     notes, then the table of block checksums, then the program headers
//   last 64 bytes   Trailer
//
// The header and the tables stand at the end because the number of data runs is known only when the last page
// has been looked at; so the file is written in one pass, and each page of memory is read from DRAM once.
//
// A run of present, non-zero pages is one PT_LOAD; the zero pages behind it belong to the same PT_LOAD
// (p_memsz > p_filesz) and cost nothing. A mapping whose runs are so short that their headers would weigh (every
// second page touched) has one empty PT_LOAD and its pages stand in the data area described by a PackedPages
// record instead.
//
// Checksums: XXH3-64 of each kBlockSize bytes of [4096, tail_offset), in a table; of the whole tail, in the
// trailer; of the header page and of the trailer's own first bytes, in the trailer. Every byte of the file is covered.
#pragma once
#include <elf.h>
#include <stdint.h>

namespace mig {

constexpr char kNoteOwner[] = "MIG";
constexpr uint32_t kNoteRecords = 0x4d494701;  ///< one note: the stream of records (image/records.h)

constexpr uint64_t kBlockSize = 1 << 20;  ///< bytes covered by one checksum
constexpr uint64_t kDataOffset = 4096;
constexpr uint32_t kFormatVersion = 1;
constexpr char kTrailerMagic[8] = {'M', 'I', 'G', 'C', 'O', 'R', 'E', '1'};

/// Feature bits, as ext4 has them: an unknown incompatible bit refuses the image, an unknown compatible one is ignored.
constexpr uint32_t kCompatibleKnown = 0;
constexpr uint32_t kPagesElsewhere = 1;  ///< unchanged pages of files stand in another process's file
constexpr uint32_t kIncompatibleKnown = kPagesElsewhere;

struct Trailer {
  char magic[8];
  uint32_t version;
  uint32_t incompatible;
  uint64_t tail_offset;      ///< end of the data, beginning of the tail
  uint64_t blocks_offset;    ///< table of uint64_t, one per block of the data
  uint64_t tail_checksum;    ///< XXH3 of [tail_offset, file size - sizeof(Trailer))
  uint64_t header_checksum;  ///< XXH3 of the first page
  uint64_t file_size;
  uint64_t checksum;  ///< XXH3 of the trailer's bytes before this field
};
static_assert(sizeof(Trailer) == 64);

/// In p_flags (PF_MASKOS): unchanged pages of a mapped file. A restart that maps the same file need not read them. Without data
/// (p_filesz 0) they stand in the file of another process of the job, that has the same file mapped.
constexpr uint32_t kSegmentClean = 0x00100000;

constexpr uint64_t block_count(uint64_t tail_offset) {
  return (tail_offset - kDataOffset + kBlockSize - 1) / kBlockSize;
}

constexpr uint64_t note_align(uint64_t v) {
  return (v + 3) & ~3UL;
}

}  // namespace mig
