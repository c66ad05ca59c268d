// One process file of an image (image/layout.h), read-only: its tables verified, its records in lists, its
// memory readable by address.
#pragma once
#include <elf.h>
#include <stdint.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "image/layout.h"
#include "image/records.h"

namespace mig {

struct Note {
  std::string owner;
  uint32_t type;
  std::string_view data;
};

struct MappingEntry {
  MappingRecord record;
  std::string path;
};

struct PackedEntry {
  PackedPagesRecord record;
  std::string_view bitmap;
  std::vector<uint32_t> before;  ///< saved pages before each 64-page word
};

class CoreFile {
 public:
  /// Maps the file and verifies all but the data blocks. `expected_size` of 0: unknown. Throws what is wrong.
  explicit CoreFile(const std::string& path, uint64_t expected_size = 0);
  CoreFile(const CoreFile&) = delete;
  CoreFile& operator=(const CoreFile&) = delete;
  ~CoreFile();

  const std::string& path() const { return path_; }
  const Trailer& trailer() const { return trailer_; }
  const std::vector<Elf64_Phdr>& loads() const { return loads_; }
  const std::vector<Note>& notes() const { return notes_; }
  const std::vector<MappingEntry>& mappings() const { return mappings_; }
  const std::vector<PackedEntry>& packed() const { return packed_; }
  const std::vector<const RecordHeader*>& records() const { return records_; }
  uint64_t size() const { return size_; }
  const char* data() const { return data_; }

  /// The registers of each thread, in the order of the notes.
  std::vector<const Note*> status_notes() const;
  template <class T>
  std::vector<T> all(RecordType type) const {
    std::vector<T> v;
    for (const RecordHeader* h : records_)
      if (h->type == type) v.push_back(record_as<T>(h));
    return v;
  }

  const MappingEntry* mapping_at(uint64_t address) const;
  /// Reads the process's memory: saved pages, zeros, or (where nothing was carried) the mapped file.
  bool read(uint64_t address, void* to, size_t size) const;
  /// The saved page that holds the address, or nullptr (zero, or in a file). It may stand in another process's file.
  const char* saved_page(uint64_t address) const;

  /// Blocks of the data whose checksum does not match.
  std::vector<uint64_t> damaged_blocks() const;

 private:
  const char* page_elsewhere(uint64_t address) const;
  const char* page_of_file(const MappingRecord& wanted, uint64_t offset) const;
  void map();
  void verify_trailer(uint64_t expected_size);
  void parse_headers();
  void parse_notes(const Elf64_Phdr& p);
  void parse_records(std::string_view stream);
  void add_packed(const RecordHeader* h);
  bool read_file_page(const MappingEntry& m, uint64_t address, char* page) const;

  std::string path_;
  const char* data_ = nullptr;
  uint64_t size_ = 0;
  Trailer trailer_{};
  std::vector<Elf64_Phdr> loads_;
  std::vector<Note> notes_;
  std::vector<MappingEntry> mappings_;
  std::vector<PackedEntry> packed_;
  std::vector<const RecordHeader*> records_;
  mutable std::map<std::string, int> files_;
  mutable const CoreFile* last_elsewhere_ = nullptr;
};

}  // namespace mig
