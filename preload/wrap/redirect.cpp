// Calls of the loaded libraries led elsewhere, after they have been bound: their entries in the global offset tables are
// written anew. So functions that must cost nothing in an ordinary run can still be replaced when a restart makes it
// necessary. Libraries loaded later, and addresses that the program asked dlsym for, are not reached.
//
// The tables may be read-only (RELRO): /proc/thread-self/mem writes through that; where it cannot be opened, the page is made
// writable and stays so.
#include "preload/wrap/redirect.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "image/base/text.h"

extern "C" r_debug mig_loader asm("_r_debug") __attribute__((weak));

namespace mig {
namespace {

class Tables {
 public:
  explicit Tables(const link_map* map) : base_(map->l_addr) {
    for (const Elf64_Dyn* d = map->l_ld; d && d->d_tag != DT_NULL; ++d) {
      switch (d->d_tag) {
        case DT_SYMTAB: symbols_ = at<const Elf64_Sym>(d); break;
        case DT_STRTAB: strings_ = at<const char>(d); break;
        case DT_JMPREL: calls_ = at<const Elf64_Rela>(d); break;
        case DT_PLTRELSZ: call_count_ = d->d_un.d_val / sizeof(Elf64_Rela); break;
        case DT_RELA: others_ = at<const Elf64_Rela>(d); break;
        case DT_RELASZ: other_count_ = d->d_un.d_val / sizeof(Elf64_Rela); break;
      }
    }
  }
  /// visit(name, address of the entry) for each entry that holds a symbol's address.
  template <class Visit>
  void each(Visit visit) const {
    if (!symbols_ || !strings_) return;
    for (size_t i = 0; calls_ && i < call_count_; ++i) look(calls_[i], visit);
    for (size_t i = 0; others_ && i < other_count_; ++i) look(others_[i], visit);
  }

 private:
  template <class T>
  T* at(const Elf64_Dyn* d) const {
    uint64_t p = d->d_un.d_ptr;
    return reinterpret_cast<T*>(p < base_ ? p + base_ : p);
  }
  template <class Visit>
  void look(const Elf64_Rela& r, Visit visit) const {
    uint64_t type = ELF64_R_TYPE(r.r_info);
    if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) || r.r_addend) return;
    const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(r.r_info)];
    if (symbol.st_shndx == SHN_UNDEF) visit(strings_ + symbol.st_name, base_ + r.r_offset);
  }

  uint64_t base_;
  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const Elf64_Rela* calls_ = nullptr;
  const Elf64_Rela* others_ = nullptr;
  size_t call_count_ = 0, other_count_ = 0;
};

/// A reference that ld.so has not bound yet leads into the library's own table of stubs, before its dynamic section. A
/// weak one that found nothing is zero.
bool leads_to(uint64_t value, uint64_t original, const link_map* map) {
  return value && (value == original || (value >= map->l_addr && value < reinterpret_cast<uint64_t>(map->l_ld)));
}

void write_entry(int memory, uint64_t address, uint64_t target) {
  if (memory >= 0 && pwrite_all(memory, &target, sizeof target, address) == 0) return;
  sys(__NR_mprotect, page_down(address), kPage, PROT_READ | PROT_WRITE);
  *reinterpret_cast<uint64_t*>(address) = target;
}

}  // namespace

void redirect(const Redirection* list, size_t count) {
  if (!&mig_loader) return;
  ScopedFd memory(open_path("/proc/thread-self/mem", O_WRONLY));
  for (const link_map* map = mig_loader.r_map; map; map = map->l_next) {
    if (map->l_ld == _DYNAMIC) continue;
    Tables(map).each([&](const char* name, uint64_t address) {
      for (size_t i = 0; i < count; ++i)
        if (text_equal(name, list[i].name) && leads_to(*reinterpret_cast<const uint64_t*>(address), list[i].original, map))
          write_entry(memory.get(), address, list[i].target);
    });
  }
}

}  // namespace mig
