// Contents that travel in the image: of pipes and sockets, and of files that have no name any more.
//
// Small ones stand in the record; larger ones are files of the image (image/carried.h), holes left out. A file that
// is mapped too is saved once, here; its mappings come back as views of the descriptor's file.
//
// Tried: opening /proc/self/fd/N anew for reading where the program has a file open for writing only. Closing that
// descriptor drops every POSIX lock that the process holds on the file; preload/save/regular.cpp takes them again.
#include "preload/save/contents.h"

#include <errno.h>

#include "image/base/checksum.h"
#include "image/carried.h"
#include "preload/save/image_output.h"

namespace mig {
namespace {

constexpr size_t kPiece = 256 << 10;

// In scratch memory: forgotten, not freed.
ScratchArray<CarriedFile>* files;
char* piece;

bool prepare() {
  if (files) return true;
  files = static_cast<ScratchArray<CarriedFile>*>(scratch(sizeof *files));
  piece = static_cast<char*>(scratch(kPiece));
  if (files && piece) return true;
  files = nullptr;
  return false;
}

/// Calls visit(offset, size) for each stretch of data; all of it where the file system knows no holes.
template <class Visit>
long each_extent(int fd, uint64_t size, Visit visit) {
  uint64_t at = 0;
  while (at < size) {
    long data = sys(__NR_lseek, fd, at, SEEK_DATA);
    if (data == -ENXIO) return 0;
    long hole = data < 0 ? static_cast<long>(size) : sys(__NR_lseek, fd, data, SEEK_HOLE);
    if (data < 0) data = static_cast<long>(at);
    if (hole < 0 || static_cast<uint64_t>(hole) > size) hole = static_cast<long>(size);
    if (long r = visit(static_cast<uint64_t>(data), static_cast<uint64_t>(hole - data)); r < 0) return r;
    at = static_cast<uint64_t>(hole);
  }
  return 0;
}

class CarriedWriter {
 public:
  CarriedWriter(int directory, const char* name)
      : fd_(create_image_file(directory, name)), hash_(static_cast<XXH3_state_t*>(scratch(sizeof *hash_))) {
    if (hash_) XXH3_64bits_reset(hash_);
  }
  long copy(int from, uint64_t size) {
    if (!fd_.ok()) return fd_.get();
    if (!hash_) return -ENOMEM;
    return each_extent(from, size, [&](uint64_t offset, uint64_t length) { return copy_extent(from, offset, length); });
  }
  uint64_t bytes() const { return bytes_; }
  uint64_t sum() const { return XXH3_64bits_digest(hash_); }

 private:
  long copy_extent(int from, uint64_t offset, uint64_t length) {
    CarriedExtent e{offset, length};
    long r = put(&e, sizeof e);
    while (r >= 0 && length) {
      long n = pread_all(from, piece, length < kPiece ? length : kPiece, offset);
      if (n <= 0) return n < 0 ? n : -EIO;
      r = put(piece, static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n), length -= static_cast<uint64_t>(n);
    }
    return r;
  }
  long put(const void* data, size_t size) {
    XXH3_64bits_update(hash_, data, size);
    bytes_ += size;
    return write_all(fd_.get(), data, size);
  }
  ScopedFd fd_;
  XXH3_state_t* hash_;
  uint64_t bytes_ = 0;
};

bool write_failed(const OpenDescription& d, long r) {
  char object[4300];
  Text text(object);
  describe_descriptor(text << "the contents of ", d);
  return refuse_errno(r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? Error::kNoSpace : Error::kWriteFailed, object, "save", r);
}

bool save_carried(Saving& saving, const OpenDescription& d, int fd) {
  CarriedFile file{};
  char name[48];
  file.number = static_cast<uint32_t>(files->size()) + 1;
  sys(__NR_mkdirat, saving.directory(), "files", 0700);
  Text(name) << "files/" << state.vpid << "." << file.number;
  CarriedWriter writer(saving.directory(), name);
  if (long r = writer.copy(fd, d.record.size); r < 0) return write_failed(d, r);
  file.bytes = writer.bytes(), file.checksum = writer.sum();
  ContentsRecord record{d.record.id, file.number, d.record.size, file.checksum};
  return (files->push(file) || saving.out_of_memory()) && saving.extra(RecordType::kContents, record);
}

bool save_inline(Saving& saving, const OpenDescription& d, int fd) {
  long n = pread_all(fd, piece, d.record.size, 0);
  if (n != static_cast<long>(d.record.size)) return write_failed(d, n < 0 ? n : -EIO);
  ContentsRecord record{d.record.id, 0, d.record.size, 0};
  return saving.extra(RecordType::kContents, record, piece, d.record.size);
}

}  // namespace

void forget_contents() {
  files = nullptr;
  prepare();
}

bool save_bytes(Saving& saving, const OpenDescription& d, const void* data, size_t size) {
  ContentsRecord record{d.record.id, 0, size, 0};
  return saving.extra(RecordType::kContents, record, data, size);
}

bool save_file_contents(Saving& saving, const OpenDescription& d, int fd) {
  if (!prepare()) return saving.out_of_memory();
  if (d.record.size <= kInlineContents) return save_inline(saving, d, fd);
  long position = sys(__NR_lseek, fd, 0L, SEEK_CUR);
  bool ok = save_carried(saving, d, fd);
  if (fd == d.fd && position >= 0) sys(__NR_lseek, fd, position, SEEK_SET);
  return ok;
}

const CarriedFile* carried_files(size_t& count) {
  count = files ? files->size() : 0;
  return files ? files->begin() : nullptr;
}

}  // namespace mig
