// Names for code addresses of an image: from the ELF files that were mapped, if they are still as they were,
// else from the dynamic symbols that the image carries.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/core_file.h"

namespace mig {

struct Module {
  std::string path;
  uint64_t base = 0, bias = 0;  ///< address of the ELF header; what to add to the file's addresses
  uint64_t start = 0, end = 0;  ///< of its segments
  uint64_t unwind = 0;          ///< address of .eh_frame_hdr, or 0
  uint64_t dynamic = 0;
  std::vector<Elf64_Phdr> notes;
  struct Symbol {
    uint64_t address, size;
    std::string name;
  };
  std::vector<Symbol> symbols;  ///< by address
  bool symbols_read = false;
};

class Symbols {
 public:
  explicit Symbols(const CoreFile& core) : core_(core) {}
  /// The module whose code holds the address, or nullptr.
  Module* module_at(uint64_t address);
  /// "function+0x1c", demangled; empty when unknown.
  std::string name_at(uint64_t address);

 private:
  Module* load_module(const MappingEntry& m);
  void read_symbols(Module& m);
  std::string debug_file(const Module& m) const;
  void read_file_symbols(Module& m, const std::string& path);
  void read_memory_symbols(Module& m);
  const CoreFile& core_;
  std::map<uint64_t, std::unique_ptr<Module>> modules_;  ///< by base
};

}  // namespace mig
