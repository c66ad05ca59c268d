// Contents that travelled in the image, and the nameless files that hold them again.
#include "restore/contents.h"

#include <errno.h>

#include "image/base/checksum.h"
#include "image/carried.h"
#include "image/device.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr size_t kPiece = 256 << 10;

struct Object {
  uint64_t device, inode;
  int fd;
};
HomeArray<Object> objects;
char* piece;

/// Copies the extents of a carried file, hashing every byte of it.
class CarriedReader {
 public:
  CarriedReader(const char* path, int to) : path_(path), to_(to), fd_(open_path(path, O_RDONLY)) {
    if (!fd_.ok()) give_up(Error::kTruncated, path, "open", fd_.get());
    if (!piece) piece = static_cast<char*>(home_memory(kPiece));
    XXH3_64bits_reset(&hash_);
  }
  void copy() {
    CarriedExtent e;
    for (long n; (n = read(&e, sizeof e)) > 0;) {
      if (n != sizeof e) give_up(Error::kTruncated, path_, "it ends within an extent");
      copy_extent(e);
    }
  }
  uint64_t sum() const { return XXH3_64bits_digest(&hash_); }

 private:
  long read(void* data, size_t size) {
    long n = pread_all(fd_.get(), data, size, at_);
    if (n < 0) give_up(Error::kChecksum, path_, "read", n);
    at_ += static_cast<uint64_t>(n);
    XXH3_64bits_update(&hash_, data, static_cast<size_t>(n));
    return n;
  }
  void copy_extent(CarriedExtent e) {
    while (e.size) {
      size_t n = e.size < kPiece ? e.size : kPiece;
      if (read(piece, n) != static_cast<long>(n)) give_up(Error::kTruncated, path_, "it ends within an extent");
      if (long r = pwrite_all(to_, piece, n, e.offset); r < 0)
        give_up(Error::kResourceFailed, path_, "write its contents back", r);
      e.offset += n, e.size -= n;
    }
  }
  const char* path_;
  int to_;
  ScopedFd fd_;
  uint64_t at_ = 0;
  alignas(64) XXH3_state_t hash_;
};

void fill_carried(const PreparedDescription& p, const ContentsRecord& c, int fd) {
  char path[4300];
  Text(path) << options.image << "/files/" << p.vpid << "." << c.carried;
  CarriedReader reader(path, fd);
  reader.copy();
  if (reader.sum() != c.checksum) give_up(Error::kChecksum, path, "a checksum does not match");
}

}  // namespace

void fill_file(const PreparedDescription& p, int fd) {
  each_extra<ContentsRecord>(p, RecordType::kContents, [&](const ContentsRecord& c, const char* tail, size_t size) {
    if (c.carried) return fill_carried(p, c, fd);
    if (long r = pwrite_all(fd, tail, size, 0); r < 0) give_up(Error::kResourceFailed, p.path, "write its contents back", r);
  });
}

int find_object(uint64_t device, uint64_t inode) {
  for (const Object& o : objects)
    if (o.inode == inode && o.device == device) return o.fd;
  return -1;
}

int find_mapped_object(uint64_t device, uint64_t inode) {
  return find_object(stat_device(device), inode);
}

const char* temporary_directory() {
  static char directory[4096];
  static bool known = false;
  if (known) return directory[0] ? directory : nullptr;
  known = true;
  auto all = static_cast<char*>(home_memory(kPiece));
  long n = read_text("/proc/self/environ", all, kPiece);
  for (long i = 0; i < n; i += static_cast<long>(text_length(all + i)) + 1)
    if (text_starts(all + i, "TMPDIR=")) text_copy(directory, all + i + 7, sizeof directory);
  return directory[0] ? directory : nullptr;
}

void add_object(const PreparedDescription& p, int fd) {
  objects.push({p.record.device, p.record.inode, fd});
}

}  // namespace mig
