// Any process of the job may have saved them: each that has the file mapped saved what nobody else had claimed
// (preload/save/memory.cpp). They are looked for in the tables of all. Blocks are verified as those of the own file are.
#include "restore/file_pages.h"

#include "image/base/checksum.h"
#include "restore/failure.h"

namespace mig {
namespace {

/// Data of a process file.
struct Place {
  size_t process;
  uint64_t offset, size;
};

bool same_contents(const MappingRecord& a, const MappingRecord& b) {
  return a.inode == b.inode && a.device == b.device && a.file_size == b.file_size && a.file_mtime == b.file_mtime;
}

/// Where the file's bytes from `offset` on stand, if this process saved them by way of this mapping. Size 0: nowhere.
Place find_in(const ImageFile& file, size_t process, const MappingRecord& m, uint64_t offset) {
  for (size_t i = 1; i < file.segment_count(); ++i) {
    const Elf64_Phdr& s = file.segments()[i];
    if (!(s.p_flags & kSegmentClean) || s.p_vaddr < m.start || s.p_vaddr >= m.end) continue;
    uint64_t from = s.p_vaddr - m.start + m.offset;
    if (offset >= from && offset < from + s.p_filesz) return {process, s.p_offset + (offset - from), from + s.p_filesz - offset};
  }
  return {};
}

Place find(const Plan& plan, const MappingRecord& mapping, uint64_t offset) {
  Place found{};
  for (size_t i = 0; i < plan.processes.size() && !found.size; ++i) {
    const ImageFile& file = plan.processes[i].file;
    file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& m, const char*) {
      if (!found.size && same_contents(m, mapping)) found = find_in(file, i, m, offset);
    });
  }
  return found;
}

/// Reads process files by blocks, the last one of which it keeps.
class Reader {
 public:
  explicit Reader(const Plan& plan) : plan_(plan), block_(static_cast<char*>(home_memory(kBlockSize))) {}

  void read(Place place, char* to) {
    use(place.process);
    while (place.size) {
      uint64_t in = (place.offset - kDataOffset) % kBlockSize;
      uint64_t n = place.size < kBlockSize - in ? place.size : kBlockSize - in;
      load((place.offset - kDataOffset) / kBlockSize);
      __builtin_memcpy(to, block_ + in, n);
      to += n, place.offset += n, place.size -= n;
    }
  }
  void close() {
    if (file_.fd() >= 0) file_.close();
    process_ = kNone;
  }

 private:
  static constexpr size_t kNone = ~size_t{0};

  void use(size_t process) {
    if (process == process_) return;
    close();
    file_ = plan_.processes[process].file;
    file_.reopen();
    process_ = process, number_ = kNone;
  }
  void load(uint64_t number) {
    if (number == number_) return;
    uint64_t at = kDataOffset + number * kBlockSize, rest = file_.data_end() - at, n = rest < kBlockSize ? rest : kBlockSize;
    if (pread_all(file_.fd(), block_, n, at) != static_cast<long>(n))
      give_up(Error::kTruncated, file_.path(), "it ends before its data does");
    if (checksum(block_, n) != file_.block_checksum(number)) give_up(Error::kChecksum, file_.path(), "a checksum does not match");
    number_ = number;
  }

  const Plan& plan_;
  ImageFile file_;
  size_t process_ = kNone;
  uint64_t number_ = kNone;
  char* block_;
};

}  // namespace

void load_file_pages(const Plan& plan, const MappingRecord& mapping, uint64_t address, uint64_t size) {
  static Reader reader(plan);
  while (size) {
    Place place = find(plan, mapping, address - mapping.start + mapping.offset);
    if (!place.size) give_up(Error::kChecksum, image.path(), "pages of a program or library are in no process's file");
    if (place.size > size) place.size = size;
    reader.read(place, reinterpret_cast<char*>(address));
    address += place.size, size -= place.size;
  }
  reader.close();
}

}  // namespace mig
