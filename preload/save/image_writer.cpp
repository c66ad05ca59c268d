// Writing one process file. Each page is looked at (zero?), hashed and handed to write(2) while it is in the
// processor's cache: pieces of 256 KiB. Short runs are gathered in a buffer, long ones written from where they are.
#include "preload/save/image_writer.h"

#include <errno.h>
#include <string.h>

#include "preload/save/image_output.h"
#include "preload/state.h"

extern "C" {
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}

namespace mig {
namespace {

constexpr size_t kPiece = 256 << 10;
constexpr size_t kFewPages = 32 << 10;  ///< what a small process fills: fresh memory costs more than a system call
constexpr size_t kDirect = 64 << 10;    ///< runs of this size are not copied

/// The library's own data and the stack that this runs on change between the checksum and the write.
bool changes_while_saved(const void* data, size_t size) {
  auto number = [](const void* p) { return reinterpret_cast<uint64_t>(p); };
  uint64_t start = number(data), end = start + size, here = number(&number);
  auto overlaps = [&](uint64_t from, uint64_t to) { return start < to && end > from; };
  return overlaps(number(_DYNAMIC), number(_end)) || overlaps(here - kLeaderStack, here + kLeaderStack);
}

}  // namespace

long ImageWriter::open(int directory, const char* name) {
  fd_.reset(create_image_file(directory, name, kDataOffset));
  if (!fd_.ok()) return -fd_.error();
  memory_.reset(open_path("/proc/thread-self/mem", O_RDONLY));
  if (!memory_.ok()) return -memory_.error();
  buffer_ = static_cast<char*>(scratch(kPiece));
  bounce_ = static_cast<char*>(scratch(kPiece));
  hash_ = static_cast<XXH3_state_t*>(scratch(sizeof(XXH3_state_t)));
  if (!buffer_ || !bounce_ || !hash_) return -ENOMEM;
  XXH3_64bits_reset(hash_);
  return 0;
}

void ImageWriter::update_checksum(const char* data, size_t size) {
  while (size) {
    size_t n = kBlockSize - hashed_ % kBlockSize;
    if (n > size) n = size;
    XXH3_64bits_update(hash_, data, n);
    data += n, size -= n, hashed_ += n;
    if (hashed_ % kBlockSize == 0) {
      blocks_.push(XXH3_64bits_digest(hash_));
      XXH3_64bits_reset(hash_);
    }
  }
}

long ImageWriter::flush() {
  long r = write_all(fd_.get(), buffer_, buffered_);
  buffered_ = 0;
  if (progress) __atomic_store_n(progress, position_, __ATOMIC_RELEASE);
  return r;
}

long ImageWriter::put(const void* data, size_t size) {
  if (size < kDirect || changes_while_saved(data, size)) return put_copied(static_cast<const char*>(data), size);
  if (long r = flush(); r < 0) return r;
  update_checksum(static_cast<const char*>(data), size);
  position_ += size;
  return write_all(fd_.get(), data, size);
}

long ImageWriter::put_copied(const char* from, size_t size) {
  while (size) {
    size_t room = position_ < kPiece ? kFewPages : kPiece, n = room - buffered_ < size ? room - buffered_ : size;
    memcpy(buffer_ + buffered_, from, n);
    update_checksum(buffer_ + buffered_, n);
    position_ += n, buffered_ += n, from += n, size -= n;
    if (buffered_ == room)
      if (long r = flush(); r < 0) return r;
  }
  return 0;
}

long ImageWriter::append(uint64_t address, size_t size, bool direct) {
  while (size) {
    size_t n = size < kPiece ? size : kPiece;
    const void* from = reinterpret_cast<const void*>(address);
    if (!direct) {
      long got = pread_all(memory_.get(), bounce_, n, address);
      if (got != static_cast<long>(n)) return got < 0 ? got : -EIO;
      from = bounce_;
    }
    if (long r = put(from, n); r < 0) return r;
    address += n, size -= n;
  }
  return 0;
}

bool ImageWriter::add_record(RecordType type, const void* fixed, size_t fixed_size, const void* tail, size_t tail_size) {
  RecordHeader h{type, 0, static_cast<uint32_t>(fixed_size), static_cast<uint32_t>(tail_size)};
  char* at = records_.add(sizeof h + fixed_size + ((tail_size + 7) & ~size_t{7}));
  if (!at) return false;
  memcpy(at, &h, sizeof h);
  memcpy(at + sizeof h, fixed, fixed_size);
  if (tail_size) memcpy(at + sizeof h + fixed_size, tail, tail_size);
  return true;
}

bool ImageWriter::append_note(ScratchArray<char>& to, const char* owner, uint32_t type, const void* data, size_t size) {
  auto name_size = static_cast<uint32_t>(strlen(owner) + 1);
  Elf64_Nhdr h{name_size, static_cast<uint32_t>(size), type};
  char* at = to.add(sizeof h + note_align(name_size) + note_align(size));
  if (!at) return false;
  memcpy(at, &h, sizeof h);
  memcpy(at + sizeof h, owner, name_size);
  memcpy(at + sizeof h + note_align(name_size), data, size);
  return true;
}

bool ImageWriter::note(const char* owner, uint32_t type, const void* data, size_t size) {
  return append_note(notes_, owner, type, data, size);
}

long ImageWriter::finish() {
  if (long r = flush(); r < 0) return r;
  if (hashed_ % kBlockSize) blocks_.push(XXH3_64bits_digest(hash_));
  return write_tail();
}

long ImageWriter::write_tail() {
  if (!append_note(notes_, kNoteOwner, kNoteRecords, records_.begin(), records_.size())) return -ENOMEM;
  uint64_t notes_size = (notes_.size() + 7) & ~7UL;
  Trailer trailer{};
  memcpy(trailer.magic, kTrailerMagic, sizeof trailer.magic);
  trailer.version = kFormatVersion;
  trailer.incompatible = features_;
  trailer.tail_offset = position_;
  trailer.blocks_offset = position_ + notes_size;
  uint64_t headers_offset = trailer.blocks_offset + blocks_.size() * sizeof(uint64_t);
  uint64_t count = segments_.size() + 1;
  uint64_t sections_offset = headers_offset + count * sizeof(Elf64_Phdr);
  uint64_t tail_size = sections_offset + sizeof(Elf64_Shdr) - position_;

  auto tail = static_cast<char*>(scratch(tail_size));
  auto header = static_cast<Elf64_Ehdr*>(scratch(kDataOffset));
  if (!tail || !header) return -ENOMEM;
  memcpy(tail, notes_.begin(), notes_.size());
  if (blocks_.size()) memcpy(tail + notes_size, blocks_.begin(), blocks_.size() * sizeof(uint64_t));

  auto ph = reinterpret_cast<Elf64_Phdr*>(tail + headers_offset - position_);
  *ph++ = {PT_NOTE, PF_R, position_, 0, 0, notes_.size(), 0, 4};
  for (const Segment& s : segments_) *ph++ = {PT_LOAD, s.flags, s.offset, s.address, 0, s.file_size, s.memory_size, kPage};
  auto section = reinterpret_cast<Elf64_Shdr*>(ph);
  section->sh_info = static_cast<uint32_t>(count);

  memcpy(header->e_ident, ELFMAG, SELFMAG);
  header->e_ident[EI_CLASS] = ELFCLASS64;
  header->e_ident[EI_DATA] = ELFDATA2LSB;
  header->e_ident[EI_VERSION] = EV_CURRENT;
  header->e_type = ET_CORE;
  header->e_machine = EM_X86_64;
  header->e_version = EV_CURRENT;
  header->e_phoff = headers_offset;
  header->e_ehsize = sizeof *header;
  header->e_phentsize = sizeof(Elf64_Phdr);
  header->e_phnum = count >= PN_XNUM ? PN_XNUM : static_cast<uint16_t>(count);
  header->e_shentsize = sizeof(Elf64_Shdr);
  if (count >= PN_XNUM) header->e_shoff = sections_offset, header->e_shnum = 1;

  trailer.tail_checksum = checksum(tail, tail_size);
  trailer.header_checksum = checksum(header, kDataOffset);
  trailer.file_size = total_ = position_ + tail_size + sizeof trailer;
  trailer.checksum = checksum(&trailer, offsetof(Trailer, checksum));
  if (long r = write_all(fd_.get(), tail, tail_size); r < 0) return r;
  if (long r = write_all(fd_.get(), &trailer, sizeof trailer); r < 0) return r;
  return finish_image_file(fd_.get(), header, kDataOffset);
}

}  // namespace mig
