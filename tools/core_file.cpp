// Everything that a file says about itself (offsets, counts, sizes) is checked against the file's size before
// use: a damaged image gives a sentence, never a crash.
#include "tools/core_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "image/base/arena.h"
#include "image/base/checksum.h"
#include "image/base/file.h"
#include "tools/problem.h"

namespace mig {

namespace {

template <class T>
T read_as(const char* at) {
  T v;
  memcpy(&v, at, sizeof v);
  return v;
}

bool within(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

/// The files of an image whose pages others refer to, each opened once.
const CoreFile& open_once(const std::string& path) {
  static std::map<std::string, std::unique_ptr<CoreFile>> files;
  auto& file = files[path];
  if (!file) file = std::make_unique<CoreFile>(path);
  return *file;
}

}  // namespace

CoreFile::CoreFile(const std::string& path, uint64_t expected_size) : path_(path) {
  map();
  verify_trailer(expected_size);
  parse_headers();
  std::sort(mappings_.begin(), mappings_.end(),
            [](const MappingEntry& a, const MappingEntry& b) { return a.record.start < b.record.start; });
  std::sort(packed_.begin(), packed_.end(),
            [](const PackedEntry& a, const PackedEntry& b) { return a.record.start < b.record.start; });
  std::sort(loads_.begin(), loads_.end(), [](const Elf64_Phdr& a, const Elf64_Phdr& b) { return a.p_vaddr < b.p_vaddr; });
}

CoreFile::~CoreFile() {
  if (data_) munmap(const_cast<char*>(data_), size_);
  for (auto& [name, fd] : files_)
    if (fd >= 0) close(fd);
}

void CoreFile::map() {
  ScopedFd fd(open_path(path_.c_str(), O_RDONLY));
  if (!fd.ok()) throw Problem(fd.error() == ENOENT ? Error::kTruncated : Error::kNoImage, path_, kernel_reason(fd.error()));
  struct stat st;
  if (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) throw Problem(Error::kVersion, path_, "it is not a file");
  size_ = static_cast<uint64_t>(st.st_size);
  if (size_ < kDataOffset + sizeof(Trailer)) throw Problem(Error::kTruncated, path_);
  void* p = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (p == MAP_FAILED) throw Problem(Error::kNoMemory, path_, kernel_reason(errno));
  data_ = static_cast<const char*>(p);
}

void CoreFile::verify_trailer(uint64_t expected_size) {
  if (expected_size && size_ < expected_size)
    throw Problem(Error::kTruncated, path_, fmt::format("it has {} bytes instead of {}", size_, expected_size));
  trailer_ = read_as<Trailer>(data_ + size_ - sizeof(Trailer));
  bool magic = memcmp(trailer_.magic, kTrailerMagic, sizeof kTrailerMagic) == 0;
  if (!magic && memcmp(data_, ELFMAG, SELFMAG) != 0)
    throw Problem(Error::kVersion, path_, "it is not a process file of an image");
  if (!magic)
    throw Problem(expected_size == size_ ? Error::kChecksum : Error::kTruncated, path_, "its end is missing or damaged");
  if (checksum(&trailer_, offsetof(Trailer, checksum)) != trailer_.checksum)
    throw Problem(Error::kChecksum, path_, "its trailer is damaged");
  if (trailer_.version != kFormatVersion || (trailer_.incompatible & ~kIncompatibleKnown))
    throw Problem(Error::kVersion, path_,
                  fmt::format("it has format {} with features {:#x}, which this mig does not know", trailer_.version,
                              trailer_.incompatible));
  if (trailer_.file_size != size_)
    throw Problem(Error::kTruncated, path_, fmt::format("it has {} bytes instead of {}", size_, trailer_.file_size));
  uint64_t tail_end = size_ - sizeof(Trailer);
  bool order = trailer_.tail_offset >= kDataOffset && trailer_.tail_offset <= tail_end;
  if (!order || !within(trailer_.blocks_offset, block_count(trailer_.tail_offset) * 8, tail_end))
    throw Problem(Error::kChecksum, path_, "its trailer is damaged");
  if (checksum(data_, kDataOffset) != trailer_.header_checksum) throw Problem(Error::kChecksum, path_, "its header is damaged");
  if (checksum(data_ + trailer_.tail_offset, tail_end - trailer_.tail_offset) != trailer_.tail_checksum)
    throw Problem(Error::kChecksum, path_, "its tables are damaged");
}

void CoreFile::parse_headers() {
  auto h = read_as<Elf64_Ehdr>(data_);
  if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_type != ET_CORE)
    throw Problem(Error::kVersion, path_, "it is not an ELF core");
  if (h.e_machine != EM_X86_64 || h.e_ident[EI_CLASS] != ELFCLASS64) throw Problem(Error::kArchitecture, path_);
  uint64_t count = h.e_phnum;
  if (count == PN_XNUM) {
    if (!within(h.e_shoff, sizeof(Elf64_Shdr), size_)) throw Problem(Error::kChecksum, path_, "its header is damaged");
    count = read_as<Elf64_Shdr>(data_ + h.e_shoff).sh_info;
  }
  if (h.e_phentsize != sizeof(Elf64_Phdr) || !within(h.e_phoff, count * sizeof(Elf64_Phdr), size_))
    throw Problem(Error::kChecksum, path_, "its header is damaged");
  for (uint64_t i = 0; i < count; ++i) {
    auto p = read_as<Elf64_Phdr>(data_ + h.e_phoff + i * sizeof(Elf64_Phdr));
    if (!within(p.p_offset, p.p_filesz, size_)) throw Problem(Error::kChecksum, path_, "a segment lies outside the file");
    if (p.p_type == PT_NOTE) parse_notes(p);
    if (p.p_type == PT_LOAD) loads_.push_back(p);
  }
}

void CoreFile::parse_notes(const Elf64_Phdr& p) {
  uint64_t at = p.p_offset, end = p.p_offset + p.p_filesz;
  while (end - at >= sizeof(Elf64_Nhdr)) {
    auto n = read_as<Elf64_Nhdr>(data_ + at);
    at += sizeof n;
    uint64_t name = note_align(n.n_namesz), desc = note_align(n.n_descsz);
    if (!within(at, name, end) || !within(at + name, n.n_descsz, end))
      throw Problem(Error::kChecksum, path_, "a note lies outside the file");
    Note note{std::string(data_ + at, strnlen(data_ + at, n.n_namesz)), n.n_type, {data_ + at + name, n.n_descsz}};
    if (note.owner == kNoteOwner && note.type == kNoteRecords) parse_records(note.data);
    notes_.push_back(std::move(note));
    at += name + std::min(desc, end - at - name);
  }
}

void CoreFile::parse_records(std::string_view stream) {
  RecordReader reader(stream.data(), stream.size());
  while (const RecordHeader* h = reader.next()) {
    records_.push_back(h);
    if (h->type == RecordType::kMapping) {
      std::string_view tail(record_tail(h), h->tail_size);
      mappings_.push_back({record_as<MappingRecord>(h), std::string(tail.substr(0, tail.find('\0')))});
    }
    if (h->type == RecordType::kPackedPages) add_packed(h);
  }
  if (reader.damaged()) throw Problem(Error::kChecksum, path_, "its records are damaged");
}

void CoreFile::add_packed(const RecordHeader* h) {
  PackedEntry e{record_as<PackedPagesRecord>(h), {record_tail(h), h->tail_size}, {}};
  uint64_t pages = (e.record.end - e.record.start) / kPage;
  bool fits = e.record.end >= e.record.start && e.bitmap.size() >= (pages + 7) / 8 && e.record.page_count <= size_ / kPage &&
              within(e.record.file_offset, e.record.page_count * kPage, size_);
  if (!fits) throw Problem(Error::kChecksum, path_, "a record of packed pages is damaged");
  uint32_t count = 0;
  for (uint64_t page = 0; page < pages; ++page) {
    if (page % 64 == 0) e.before.push_back(count);
    count += static_cast<unsigned char>(e.bitmap[page / 8]) >> (page % 8) & 1;
  }
  if (count != e.record.page_count) throw Problem(Error::kChecksum, path_, "a record of packed pages is damaged");
  packed_.push_back(std::move(e));
}

std::vector<const Note*> CoreFile::status_notes() const {
  std::vector<const Note*> found;
  for (const Note& n : notes_)
    if (n.owner == "CORE" && n.type == NT_PRSTATUS) found.push_back(&n);
  return found;
}

const MappingEntry* CoreFile::mapping_at(uint64_t address) const {
  auto after = std::upper_bound(mappings_.begin(), mappings_.end(), address,
                                [](uint64_t a, const MappingEntry& m) { return a < m.record.start; });
  if (after == mappings_.begin()) return nullptr;
  const MappingEntry& m = *(after - 1);
  return address < m.record.end ? &m : nullptr;
}

/// The page of a mapped file, if it was saved by way of one of this process's mappings.
const char* CoreFile::page_of_file(const MappingRecord& wanted, uint64_t offset) const {
  for (const MappingEntry& m : mappings_) {
    const MappingRecord& r = m.record;
    if (r.inode != wanted.inode || r.device != wanted.device || r.file_size != wanted.file_size ||
        r.file_mtime != wanted.file_mtime)
      continue;
    if (offset < r.offset || offset - r.offset >= r.end - r.start) continue;
    uint64_t address = r.start + (offset - r.offset);
    for (const Elf64_Phdr& p : loads_)
      if ((p.p_flags & kSegmentClean) && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
        return data_ + p.p_offset + (address - p.p_vaddr);
  }
  return nullptr;
}

/// The page of a mapped file that another process of the image has saved (or this one, by way of another mapping).
const char* CoreFile::page_elsewhere(uint64_t address) const {
  const MappingEntry* m = mapping_at(address);
  if (!m) return nullptr;
  uint64_t offset = address - m->record.start + m->record.offset;
  if (const char* page = last_elsewhere_ ? last_elsewhere_->page_of_file(m->record, offset) : nullptr) return page;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path_).parent_path())) {
    if (entry.path().extension() != ".core") continue;
    const CoreFile& other = open_once(entry.path());
    if (const char* page = other.page_of_file(m->record, offset)) {
      last_elsewhere_ = &other;
      return page;
    }
  }
  return nullptr;
}

const char* CoreFile::saved_page(uint64_t address) const {
  address = page_down(address);
  auto after =
      std::upper_bound(loads_.begin(), loads_.end(), address, [](uint64_t a, const Elf64_Phdr& p) { return a < p.p_vaddr; });
  if (after != loads_.begin()) {
    const Elf64_Phdr& p = *(after - 1);
    uint64_t in = address - p.p_vaddr;
    if (in < p.p_filesz && p.p_filesz - in >= kPage) return data_ + p.p_offset + in;
    if (!p.p_filesz && (p.p_flags & kSegmentClean) && in < p.p_memsz) return page_elsewhere(address);
  }
  auto behind = std::upper_bound(packed_.begin(), packed_.end(), address,
                                 [](uint64_t a, const PackedEntry& e) { return a < e.record.start; });
  if (behind != packed_.begin() && address < (behind - 1)->record.end) {
    const PackedEntry& e = *(behind - 1);
    uint64_t page = (address - e.record.start) / kPage;
    auto bit = [&](uint64_t i) { return static_cast<unsigned char>(e.bitmap[i / 8]) >> (i % 8) & 1; };
    if (!bit(page)) return nullptr;
    uint64_t index = e.before[page / 64];
    for (uint64_t i = page & ~63UL; i < page; ++i) index += static_cast<uint64_t>(bit(i));
    return data_ + e.record.file_offset + index * kPage;
  }
  return nullptr;
}

/// A page that the image left to the mapped file, if the file is still there.
bool CoreFile::read_file_page(const MappingEntry& m, uint64_t address, char* page) const {
  auto known = files_.find(m.path);
  if (known == files_.end()) known = files_.emplace(m.path, open(m.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)).first;
  if (known->second < 0) return false;
  return pread_all(known->second, page, kPage, address - m.record.start + m.record.offset) > 0;
}

bool CoreFile::read(uint64_t address, void* to, size_t size) const {
  auto out = static_cast<char*>(to);
  while (size) {
    uint64_t in_page = address % kPage;
    size_t n = std::min<size_t>(size, kPage - in_page);
    const char* page = saved_page(address);
    char buffer[kPage] = {};
    if (!page) {
      const MappingEntry* m = mapping_at(address);
      if (!m) return false;
      auto kind = static_cast<MappingKind>(m->record.kind);
      bool file = kind == MappingKind::kFileShared || kind == MappingKind::kFilePrivate;
      if (file && !(m->record.flags & kMappingCarried) && !read_file_page(*m, page_down(address), buffer)) return false;
      page = buffer;
    }
    memcpy(out, page + in_page, n);
    out += n, address += n, size -= n;
  }
  return true;
}

std::vector<uint64_t> CoreFile::damaged_blocks() const {
  std::vector<uint64_t> bad;
  const char* table = data_ + trailer_.blocks_offset;
  for (uint64_t i = 0; i < block_count(trailer_.tail_offset); ++i) {
    uint64_t at = kDataOffset + i * kBlockSize;
    uint64_t length = std::min(kBlockSize, trailer_.tail_offset - at);
    if (checksum(data_ + at, length) != read_as<uint64_t>(table + i * 8)) bad.push_back(i);
  }
  return bad;
}

}  // namespace mig
