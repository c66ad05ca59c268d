// The stub is a static position-independent program without libc. Its only relocations are R_X86_64_RELATIVE,
// which can be applied again for every new place, so moving is: copy the pages, relocate, call.
#include "restore/home.h"

#include <elf.h>
#include <errno.h>

#include <utility>

#include "image/base/file.h"
#include "image/base/text.h"
#include "restore/arch/x86_64/switch.h"
#include "restore/failure.h"

extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
}

namespace mig {
namespace {

constexpr size_t kStackSize = 512 << 10;
constexpr uint64_t kLowest = 0x1'0000'0000, kHighest = 0x7e00'0000'0000;

AddressRange home;
uint64_t used;

/// Sorts by address: sifts each range down a heap.
void sift(AddressRange* r, size_t at, size_t n) {
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && r[child].start < r[child + 1].start) ++child;
    if (r[at].start >= r[child].start) return;
    std::swap(r[at], r[child]);
  }
}

}  // namespace

void sort_ranges(AddressRange* r, size_t n) {
  for (size_t i = n / 2; i-- > 0;) sift(r, i, n);
  for (size_t i = n; i-- > 1;) {
    std::swap(r[0], r[i]);
    sift(r, 0, i);
  }
}

uint64_t own_base() {
  return reinterpret_cast<uint64_t>(__ehdr_start);
}

void relocate(uint64_t base) {
  uint64_t table = 0, size = 0;
  auto shift = reinterpret_cast<uint64_t>(_DYNAMIC) - own_base();
  for (auto d = reinterpret_cast<const Elf64_Dyn*>(base + shift); d->d_tag != DT_NULL; ++d) {
    if (d->d_tag == DT_RELA) table = d->d_un.d_ptr;
    if (d->d_tag == DT_RELASZ) size = d->d_un.d_val;
  }
  auto r = reinterpret_cast<const Elf64_Rela*>(base + table);
  for (uint64_t i = 0; i < size / sizeof *r; ++i)
    *reinterpret_cast<uint64_t*>(base + r[i].r_offset) = base + static_cast<uint64_t>(r[i].r_addend);
}

uint64_t find_free_range(const AddressRange* taken, size_t count, uint64_t size) {
  uint64_t at = kLowest;
  size_t i = 0;
  LineReader<4096> maps("/proc/self/maps");
  AddressRange own{0, 0};
  auto next_own = [&] {
    const char* line = maps.next();
    if (!line) {
      own = {kHighest, ~0UL};
      return;
    }
    Scan scan(line);
    own.start = scan.hex();
    own.end = scan.skip('-').hex();
  };
  next_own();
  while (at + size <= kHighest) {
    bool moved = false;
    while (own.end <= at) next_own();
    while (i < count && taken[i].end <= at) ++i;
    if (own.start < at + size) at = page_up(own.end), moved = true;
    if (i < count && taken[i].start < at + size && taken[i].end > at) at = page_up(taken[i].end), moved = true;
    if (!moved) return at;
  }
  return 0;
}

AddressRange home_range() {
  return home;
}

void* home_memory(size_t bytes) {
  bytes = (bytes + 63) & ~size_t{63};
  if (bytes > home.end - used) give_up(Error::kNoMemory, "the restart stub", "its working memory is used up");
  auto p = reinterpret_cast<void*>(used);
  used += bytes;
  return p;
}

void* share_home_memory(size_t bytes, int fd) {
  auto at = page_up(reinterpret_cast<uint64_t>(home_memory(page_up(bytes) + kPage)));
  int kind = MAP_SHARED | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0);
  long p = sys(__NR_mmap, at, page_up(bytes), PROT_READ | PROT_WRITE, kind, fd, 0L);
  if (failed(p)) give_up(Error::kNoMemory, "the restart stub", "share memory between processes", p);
  return reinterpret_cast<void*>(at);
}

void* Home::grow(void* old, size_t old_bytes, size_t bytes) {
  if (old && reinterpret_cast<uint64_t>(old) + old_bytes == used) {
    home_memory(bytes - old_bytes);
    return old;
  }
  void* p = home_memory(bytes);
  if (old) __builtin_memcpy(p, old, old_bytes);
  return p;
}

void move_home(uint64_t base, uint64_t size, void (*function)(void*), const void* argument, size_t argument_size) {
  long p = sys(__NR_mmap, base, size, PROT_READ | PROT_WRITE | PROT_EXEC,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0L);
  if (failed(p)) give_up(Error::kNoMemory, "the restart stub", "map its working memory", p);
  auto length = page_up(reinterpret_cast<uint64_t>(_end) - own_base());
  __builtin_memcpy(reinterpret_cast<void*>(base), __ehdr_start, reinterpret_cast<uint64_t>(_end) - own_base());
  relocate(base);
  uint64_t delta = base - own_base();
  auto there = [delta](auto* pointer) {
    return reinterpret_cast<decltype(pointer)>(reinterpret_cast<uint64_t>(pointer) + delta);
  };
  *there(&home) = {base, base + size};
  uint64_t stack = base + length + kStackSize;
  *there(&used) = stack;
  uint64_t copy = (stack - argument_size) & ~63UL;
  __builtin_memcpy(reinterpret_cast<void*>(copy), argument, argument_size);
  auto target = reinterpret_cast<void (*)(void*)>(reinterpret_cast<uint64_t>(function) + delta);
  mig_call_on(reinterpret_cast<void*>(copy), target, reinterpret_cast<void*>(copy));
}

}  // namespace mig
