// Symbols of the loaded libraries, looked up without libc's dlsym.
//
// Why not dlsym: it takes the loader's lock, allocates when it fails, changes what dlerror() says, lives in libdl before
// glibc 2.34 (the library may need libc only) and carries that version's symbol version. What it does is simple:
// walk the loader's list (_r_debug, a promise to debuggers) from our own entry on, and look into each library's GNU hash table.
//
// No lock: the libraries behind ours that define a wrapped name are those loaded at start, which never go away, and the
// list grows at its end.
#include "preload/symbols.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>

#include "image/base/text.h"
#include "preload/start.h"

// Weak, so that ld.so does not become a needed library.
extern "C" r_debug mig_loader asm("_r_debug") __attribute__((weak));

namespace mig {
namespace {

constexpr uint16_t kVersionHidden = 0x8000;

uint32_t gnu_hash(const char* name) {
  uint32_t h = 5381;
  for (; *name; ++name) h = h * 33 + static_cast<unsigned char>(*name);
  return h;
}

/// The dynamic symbols of one loaded library.
class Library {
 public:
  explicit Library(const link_map* map) : base_(map->l_addr) {
    for (const Elf64_Dyn* d = map->l_ld; d && d->d_tag != DT_NULL; ++d) {
      if (d->d_tag == DT_SYMTAB) symbols_ = at<const Elf64_Sym>(d);
      if (d->d_tag == DT_STRTAB) strings_ = at<const char>(d);
      if (d->d_tag == DT_GNU_HASH) hash_ = at<const uint32_t>(d);
      if (d->d_tag == DT_VERSYM) versions_ = at<const uint16_t>(d);
    }
  }

  void* find(const char* name, uint32_t hash) const {
    if (!hash_ || !symbols_ || !strings_ || !hash_[0]) return nullptr;
    uint32_t buckets = hash_[0], first = hash_[1], bloom = hash_[2];
    const uint32_t* bucket = hash_ + 4 + size_t{bloom} * 2;
    const uint32_t* chain = bucket + buckets;
    uint32_t i = bucket[hash % buckets];
    if (i < first) return nullptr;
    for (;; ++i) {
      uint32_t h = chain[i - first];
      if ((h | 1) == (hash | 1) && is_default(i) && text_equal(strings_ + symbols_[i].st_name, name)) return address(symbols_[i]);
      if (h & 1) return nullptr;
    }
  }

 private:
  /// glibc relocates the pointers of the dynamic section in place, others (and the vDSO) do not.
  template <class T>
  T* at(const Elf64_Dyn* d) const {
    uint64_t p = d->d_un.d_ptr;
    return reinterpret_cast<T*>(p < base_ ? p + base_ : p);
  }
  bool is_default(uint32_t i) const {
    if (symbols_[i].st_shndx == SHN_UNDEF || !symbols_[i].st_value) return false;
    return !versions_ || (!(versions_[i] & kVersionHidden) && versions_[i] != 0);
  }
  void* address(const Elf64_Sym& symbol) const {
    uint64_t p = base_ + symbol.st_value;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) return reinterpret_cast<void* (*)()>(p)();
    return reinterpret_cast<void*>(p);
  }

  uint64_t base_;
  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
  const uint32_t* hash_ = nullptr;
  const uint16_t* versions_ = nullptr;
};

const link_map* own_map() {
  const link_map* map = &mig_loader ? mig_loader.r_map : nullptr;
  while (map && map->l_ld != _DYNAMIC) map = map->l_next;
  return map;
}

}  // namespace

MIG_START const char* own_path() {
  const link_map* map = own_map();
  return map ? map->l_name : "";
}

MIG_START void* next_symbol(const char* name) {
  const link_map* map = own_map();
  uint32_t hash = gnu_hash(name);
  for (map = map ? map->l_next : nullptr; map; map = map->l_next)
    if (void* p = Library(map).find(name, hash)) return p;
  return nullptr;
}

}  // namespace mig
