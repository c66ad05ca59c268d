#include "tools/symbols.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "image/base/arena.h"
#include "image/base/file.h"

namespace mig {

namespace {

constexpr uint64_t kMaxSymbols = 4 << 20;

/// A whole file, mapped.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    ScopedFd fd(open_path(path.c_str(), O_RDONLY | O_NONBLOCK));
    struct stat st;
    if (!fd.ok() || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) return;
    void* p = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (p == MAP_FAILED) return;
    data_ = static_cast<const char*>(p), size_ = static_cast<uint64_t>(st.st_size);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_) munmap(const_cast<char*>(data_), size_);
  }
  template <class T>
  bool get(uint64_t offset, T& v) const {
    if (offset > size_ || sizeof v > size_ - offset) return false;
    memcpy(&v, data_ + offset, sizeof v);
    return true;
  }
  std::string text(uint64_t offset) const {
    return offset < size_ ? std::string(data_ + offset, strnlen(data_ + offset, size_ - offset)) : "";
  }

 private:
  const char* data_ = nullptr;
  uint64_t size_ = 0;
};

bool names_code(const Elf64_Sym& s) {
  unsigned type = ELF64_ST_TYPE(s.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE) && s.st_shndx != SHN_UNDEF && s.st_value && s.st_name;
}

std::string demangle(std::string name) {
  name.resize(std::min(name.find('@'), name.size()));  // nanosleep@GLIBC_2.2.5
  int status = 0;
  char* plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string s = status == 0 && plain ? plain : name;
  free(plain);
  return s;
}

std::string debug_path(const unsigned char* id, size_t size) {
  std::string s = "/usr/lib/debug/.build-id/";
  for (size_t i = 0; i < size; ++i) s += (i == 1 ? "/" : "") + fmt::format("{:02x}", id[i]);
  return s + ".debug";
}

/// The file on disk is the one that was mapped.
bool unchanged(const MappingEntry& m) {
  struct stat st;
  if (stat(m.path.c_str(), &st) != 0) return false;
  int64_t mtime = int64_t{st.st_mtim.tv_sec} * 1000000000 + st.st_mtim.tv_nsec;
  return static_cast<uint64_t>(st.st_size) == m.record.file_size && (!m.record.file_mtime || mtime == m.record.file_mtime);
}

std::string read_text_at(const CoreFile& core, uint64_t address) {
  char buffer[256] = {};
  for (size_t i = 0; i + 1 < sizeof buffer; ++i)
    if (!core.read(address + i, buffer + i, 1) || !buffer[i]) break;
  return buffer;
}

}  // namespace

Module* Symbols::module_at(uint64_t address) {
  const MappingEntry* m = core_.mapping_at(address);
  if (!m) return nullptr;
  const auto& all = core_.mappings();
  for (const MappingEntry* at = m; at >= all.data(); --at)  // back to the segment that begins with the ELF header
    if (at->path == m->path && at->record.offset == 0) {
      Module* module = load_module(*at);
      return module && address < module->end ? module : nullptr;
    }
  return nullptr;
}

Module* Symbols::load_module(const MappingEntry& m) {
  auto known = modules_.find(m.record.start);
  if (known != modules_.end()) return known->second.get();
  auto& slot = modules_[m.record.start];
  Elf64_Ehdr h;
  bool elf =
      core_.read(m.record.start, &h, sizeof h) && memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 && h.e_phentsize == sizeof(Elf64_Phdr);
  if (!elf) return nullptr;
  auto module = std::make_unique<Module>();
  module->path = m.path, module->base = m.record.start;
  uint64_t lowest = ~0UL, highest = 0;
  std::vector<Elf64_Phdr> headers;
  for (unsigned i = 0; i < h.e_phnum; ++i) {
    Elf64_Phdr p;
    if (!core_.read(m.record.start + h.e_phoff + i * sizeof p, &p, sizeof p)) return nullptr;
    headers.push_back(p);
    if (p.p_type == PT_LOAD) lowest = std::min(lowest, page_down(p.p_vaddr)), highest = std::max(highest, p.p_vaddr + p.p_memsz);
  }
  module->bias = m.record.start - (lowest == ~0UL ? 0 : lowest);
  module->start = m.record.start, module->end = page_up(module->bias + highest);
  for (const Elf64_Phdr& p : headers) {
    if (p.p_type == PT_GNU_EH_FRAME) module->unwind = module->bias + p.p_vaddr;
    if (p.p_type == PT_NOTE) module->notes.push_back(p);
    if (p.p_type == PT_DYNAMIC) module->dynamic = module->bias + p.p_vaddr;
  }
  slot = std::move(module);
  return slot.get();
}

void Symbols::read_file_symbols(Module& m, const std::string& path) {
  MappedFile file(path);
  Elf64_Ehdr h;
  if (!file.get(0, h)) return;
  for (unsigned wanted : {unsigned{SHT_SYMTAB}, unsigned{SHT_DYNSYM}}) {
    for (unsigned i = 0; i < h.e_shnum; ++i) {
      Elf64_Shdr s, strings;
      if (!file.get(h.e_shoff + uint64_t{i} * h.e_shentsize, s) || s.sh_type != wanted) continue;
      if (!file.get(h.e_shoff + uint64_t{s.sh_link} * h.e_shentsize, strings)) continue;
      Elf64_Sym symbol;
      for (uint64_t at = 0; at + sizeof symbol <= s.sh_size && file.get(s.sh_offset + at, symbol); at += sizeof symbol)
        if (names_code(symbol))
          m.symbols.push_back({m.bias + symbol.st_value, symbol.st_size, file.text(strings.sh_offset + symbol.st_name)});
    }
    if (!m.symbols.empty()) return;
  }
}

/// The string table stands right behind the symbols in every linker's layout.
void Symbols::read_memory_symbols(Module& m) {
  uint64_t symbols = 0, strings = 0;
  Elf64_Dyn d = {};
  for (uint64_t at = m.dynamic; at && core_.read(at, &d, sizeof d) && d.d_tag != DT_NULL; at += sizeof d) {
    uint64_t address = d.d_un.d_ptr < m.base ? d.d_un.d_ptr + m.bias : d.d_un.d_ptr;  // ld.so has relocated it, except the vDSO's
    if (d.d_tag == DT_SYMTAB) symbols = address;
    if (d.d_tag == DT_STRTAB) strings = address;
  }
  if (!symbols || strings <= symbols) return;
  uint64_t count = std::min((strings - symbols) / sizeof(Elf64_Sym), kMaxSymbols);
  for (uint64_t i = 0; i < count; ++i) {
    Elf64_Sym s;
    if (!core_.read(symbols + i * sizeof s, &s, sizeof s)) return;
    if (names_code(s)) m.symbols.push_back({m.bias + s.st_value, s.st_size, read_text_at(core_, strings + s.st_name)});
  }
}

/// Where distributions put the symbols that they strip: by the file's build id, which is in its memory too.
std::string Symbols::debug_file(const Module& m) const {
  for (const Elf64_Phdr& p : m.notes)
    for (uint64_t at = p.p_vaddr, end = at + std::min<uint64_t>(p.p_memsz, kPage); at + sizeof(Elf64_Nhdr) < end;) {
      Elf64_Nhdr n;
      unsigned char id[64];
      if (!core_.read(m.bias + at, &n, sizeof n)) break;
      at += sizeof n + note_align(n.n_namesz);
      bool build_id = n.n_type == NT_GNU_BUILD_ID && n.n_descsz > 1 && n.n_descsz <= sizeof id;
      if (build_id && core_.read(m.bias + at, id, n.n_descsz)) return debug_path(id, n.n_descsz);
      at += note_align(n.n_descsz);
    }
  return "";
}

void Symbols::read_symbols(Module& m) {
  m.symbols_read = true;
  const MappingEntry* mapping = core_.mapping_at(m.base);
  if (std::string debug = debug_file(m); !debug.empty()) read_file_symbols(m, debug);
  if (m.symbols.empty() && mapping && unchanged(*mapping)) read_file_symbols(m, mapping->path);
  if (m.symbols.empty()) read_memory_symbols(m);
  std::sort(m.symbols.begin(), m.symbols.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
}

std::string Symbols::name_at(uint64_t address) {
  Module* m = module_at(address);
  if (!m) return "";
  if (!m->symbols_read) read_symbols(*m);
  auto after = std::upper_bound(m->symbols.begin(), m->symbols.end(), address,
                                [](uint64_t a, const Module::Symbol& s) { return a < s.address; });
  if (after == m->symbols.begin()) return "";
  const Module::Symbol& s = *(after - 1);
  if (s.size && address - s.address >= s.size) return "";
  return fmt::format("{}+{:#x}", demangle(s.name), address - s.address);
}

}  // namespace mig
