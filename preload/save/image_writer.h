// Writing one process file (image/layout.h): data in one pass with a checksum per block, then the tail.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/base/checksum.h"
#include "image/base/file.h"
#include "image/layout.h"
#include "image/records.h"
#include "preload/scratch.h"

namespace mig {

/// A run of saved pages, and the zero pages behind it.
struct Segment {
  uint64_t address, file_size, memory_size, offset;
  uint32_t flags;  ///< PF_R | PF_W | PF_X | kSegmentClean
};

class ImageWriter {
 public:
  /// `directory` is open, `name` the file in it. Returns 0 or a negative error number, as do all of these.
  long open(int directory, const char* name);
  /// Appends saved memory. `direct`: it is readable as it stands; else it is read through /proc/thread-self/mem.
  long append(uint64_t address, size_t size, bool direct);
  /// The file offset that the next append gets.
  uint64_t position() const { return position_; }
  uint64_t total() const { return total_; }

  /// Adds a record with a tail.
  template <class T>
  bool record(RecordType type, const T& fixed, const void* tail = nullptr, size_t tail_size = 0) {
    static_assert(sizeof(T) % 8 == 0);
    return add_record(type, &fixed, sizeof fixed, tail, tail_size);
  }
  bool add_record(RecordType type, const void* fixed, size_t fixed_size, const void* tail, size_t tail_size);
  /// Adds an ELF note of the name "CORE" or "LINUX" for debuggers.
  bool note(const char* owner, uint32_t type, const void* data, size_t size);

  /// Who does not know this feature must not read the file.
  void require(uint32_t feature) { features_ |= feature; }

  long finish();
  /// A descriptor that the writer holds, which the program never sees.
  bool holds(int fd) const { return fd == fd_.get() || fd == memory_.get(); }
  ScratchArray<Segment>& segments() { return segments_; }
  uint64_t* progress = nullptr;  ///< grows with the bytes written

 private:
  long put(const void* data, size_t size);
  long put_copied(const char* from, size_t size);
  long flush();
  void update_checksum(const char* data, size_t size);
  bool append_note(ScratchArray<char>& to, const char* owner, uint32_t type, const void* data, size_t size);
  long write_tail();

  ScopedFd fd_, memory_;
  uint64_t position_ = kDataOffset, total_ = 0;
  uint32_t features_ = 0;
  char* buffer_ = nullptr;
  char* bounce_ = nullptr;
  size_t buffered_ = 0;
  XXH3_state_t* hash_ = nullptr;
  uint64_t hashed_ = 0;
  ScratchArray<uint64_t> blocks_;
  ScratchArray<Segment> segments_;
  ScratchArray<char> records_, notes_;
};

}  // namespace mig
