#include "restore/image_file.h"

#include <errno.h>

#include "image/base/checksum.h"
#include "restore/failure.h"

namespace mig {

ImageFile image;

namespace {

[[noreturn]] void truncated(const char* path) {
  give_up(Error::kTruncated, path, "it is shorter than it was when written");
}
[[noreturn]] void damaged(const char* path) {
  give_up(Error::kChecksum, path, "a checksum does not match");
}

}  // namespace

/// Returns the size of the file.
uint64_t ImageFile::read_trailer(Trailer& trailer) {
  long fd = open_path(path_, O_RDONLY);
  if (failed(fd)) give_up(Error::kNoImage, path_, "open", fd);
  fd_ = static_cast<int>(fd);
  long size = sys(__NR_lseek, fd_, 0L, SEEK_END);
  if (size < static_cast<long>(kDataOffset + sizeof trailer)) truncated(path_);
  auto end = static_cast<uint64_t>(size);
  if (pread_all(fd_, &trailer, sizeof trailer, end - sizeof trailer) != sizeof trailer) truncated(path_);
  return end;
}

void ImageFile::open(const char* path, void* (*allocate)(size_t)) {
  path_ = path;
  uint64_t size = read_trailer(trailer_);
  if (__builtin_memcmp(trailer_.magic, kTrailerMagic, sizeof trailer_.magic) != 0) truncated(path);
  if (trailer_.checksum != checksum(&trailer_, offsetof(Trailer, checksum))) damaged(path);
  if (trailer_.version != kFormatVersion || (trailer_.incompatible & ~kIncompatibleKnown))
    give_up(Error::kVersion, path, "its format is newer than this program");
  if (trailer_.file_size != size) truncated(path);
  read_tail(allocate);
}

void ImageFile::close() {
  sys(__NR_close, fd_);
  fd_ = -1;
}

void ImageFile::reopen() {
  Trailer now{};
  read_trailer(now);
  if (__builtin_memcmp(&now, &trailer_, sizeof now) != 0) damaged(path_);
}

void ImageFile::read_header() {
  alignas(8) char page[kDataOffset];
  if (pread_all(fd_, page, sizeof page, 0) != sizeof page) truncated(path_);
  if (checksum(page, sizeof page) != trailer_.header_checksum) damaged(path_);
  auto header = reinterpret_cast<const Elf64_Ehdr*>(page);
  segments_ = reinterpret_cast<const Elf64_Phdr*>(tail_ + (header->e_phoff - trailer_.tail_offset));
  segment_count_ = header->e_phnum;
  if (header->e_phnum == PN_XNUM)
    segment_count_ = reinterpret_cast<const Elf64_Shdr*>(tail_ + (header->e_shoff - trailer_.tail_offset))->sh_info;
}

void ImageFile::read_tail(void* (*allocate)(size_t)) {
  uint64_t size = tail_size() - sizeof trailer_;
  auto tail = static_cast<char*>(allocate(size));
  if (!tail) give_up(Error::kNoMemory, path_, "there is no memory for its tables");
  if (pread_all(fd_, tail, size, trailer_.tail_offset) != static_cast<long>(size)) truncated(path_);
  if (checksum(tail, size) != trailer_.tail_checksum) damaged(path_);
  tail_ = tail;
  blocks_ = reinterpret_cast<const uint64_t*>(tail + (trailer_.blocks_offset - trailer_.tail_offset));
  read_header();
  find_records(tail, segments_[0].p_filesz);
}

void ImageFile::find_records(const char* notes, uint64_t size) {
  for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
    auto h = reinterpret_cast<const Elf64_Nhdr*>(notes + at);
    const char* name = notes + at + sizeof *h;
    const char* data = name + note_align(h->n_namesz);
    if (h->n_type == kNoteRecords && h->n_namesz == sizeof kNoteOwner &&
        __builtin_memcmp(name, kNoteOwner, sizeof kNoteOwner) == 0) {
      records_ = data;
      records_size_ = h->n_descsz;
    }
    at += sizeof *h + note_align(h->n_namesz) + note_align(h->n_descsz);
  }
  if (!records_) give_up(Error::kVersion, path_, "it has no records of mig");
  refuse_unknown();
}

void ImageFile::refuse_unknown() const {
  RecordReader reader = records();
  while (const RecordHeader* h = reader.next())
    if ((h->flags & kRecordRequired) && !is_known(h->type))
      give_up(Error::kVersion, path_, "it holds something that this program does not know and must not leave out");
}

const char* ImageFile::text(TextRole role, uint32_t* flags) const {
  const char* found = nullptr;
  each_as<TextRecord>(RecordType::kText, [&](const TextRecord& t, const char* tail) {
    if (t.role != role) return;
    found = tail;
    if (flags) *flags = t.flags;
  });
  return found;
}

}  // namespace mig
