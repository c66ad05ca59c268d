// Reading one process file: its tables, verified, and its data, verified while it is loaded.
#pragma once
#include <elf.h>

#include "image/base/file.h"
#include "image/layout.h"
#include "image/records.h"
#include "restore/home.h"

namespace mig {

class ImageFile {
 public:
  /// Opens the file and verifies its header, trailer and tail. Tables stand in memory from `allocate`.
  void open(const char* path, void* (*allocate)(size_t));
  /// Closes the descriptor; the tables stay.
  void close();
  /// Opens it once more, for its data: it must be the file that the tables were read from.
  void reopen();
  RecordReader records() const { return RecordReader(records_, records_size_); }
  const Elf64_Phdr* segments() const { return segments_; }
  size_t segment_count() const { return segment_count_; }
  uint64_t tail_size() const { return trailer_.file_size - trailer_.tail_offset; }
  uint64_t data_end() const { return trailer_.tail_offset; }
  uint64_t block_checksum(uint64_t block) const { return blocks_[block]; }
  int fd() const { return fd_; }
  void set_fd(int fd) { fd_ = fd; }
  const char* path() const { return path_; }

  /// Calls visit(header) for each record of `type`.
  template <class Visit>
  void each(RecordType type, Visit visit) const {
    RecordReader reader = records();
    while (const RecordHeader* h = reader.next())
      if (h->type == type) visit(h);
  }
  /// Calls visit(structure, tail) for each record of `type`.
  template <class T, class Visit>
  void each_as(RecordType type, Visit visit) const {
    each(type, [&](const RecordHeader* h) { visit(record_as<T>(h), record_tail(h)); });
  }
  /// A text of the process, or nullptr.
  const char* text(TextRole role, uint32_t* flags = nullptr) const;

 private:
  uint64_t read_trailer(Trailer& trailer);
  void read_tail(void* (*allocate)(size_t));
  void find_records(const char* notes, uint64_t size);
  void read_header();
  void refuse_unknown() const;

  const char* path_ = nullptr;
  int fd_ = -1;
  Trailer trailer_{};
  const char* tail_ = nullptr;
  const char* records_ = nullptr;
  size_t records_size_ = 0;
  const uint64_t* blocks_ = nullptr;
  const Elf64_Phdr* segments_ = nullptr;
  size_t segment_count_ = 0;
};

extern ImageFile image;

}  // namespace mig
