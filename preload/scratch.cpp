#include "preload/scratch.h"

#include <string.h>
#include <sys/mman.h>

namespace mig {
namespace {

char* base = nullptr;
size_t reserved = 0;
size_t used = 0;

}  // namespace

bool open_scratch() {
  for (reserved = size_t{1} << 30; reserved >= size_t{8} << 20; reserved /= 4) {
    long p = sys(__NR_mmap, 0L, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    if (failed(p)) continue;
    base = reinterpret_cast<char*>(p);
    used = 0;
    sys(__NR_madvise, base, reserved, MADV_NOHUGEPAGE);
    return true;
  }
  return false;
}

void close_scratch() {
  unmap_pages(base, reserved);
  base = nullptr;
}

void* scratch(size_t bytes) {
  bytes = (bytes + 63) & ~size_t{63};
  if (bytes > reserved - used) return nullptr;
  void* p = base + used;
  used += bytes;
  return p;
}

bool in_scratch(uint64_t address) {
  auto begin = reinterpret_cast<uint64_t>(base);
  return base && address >= begin && address < begin + reserved;
}

void* Scratch::grow(void* old, size_t old_bytes, size_t bytes) {
  if (old && static_cast<char*>(old) + old_bytes == base + used) return scratch(bytes - old_bytes) ? old : nullptr;
  void* p = scratch(bytes);
  if (p && old) memcpy(p, old, old_bytes);
  return p;
}

}  // namespace mig
