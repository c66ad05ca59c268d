// A mapping that grows down (the stack, MAP_GROWSDOWN) stops growing when it comes within a megabyte of another one, and
// the kernel's own choice for a new mapping is often that very megabyte below. So the library takes the
// lower end of a larger range, and gives the rest back: no lasting mapping of ours is near the lower end of one of the
// program's. The range cannot be accessed until then, which lets its neighbours grow.
#include "preload/lasting.h"

#include "image/base/arena.h"

namespace mig {
namespace {

/// 0: there is no such range (RLIMIT_AS), and any place will have to do.
long reserve(size_t size) {
  long p = sys(__NR_mmap, 0L, size + kGrowthRoom, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
  if (failed(p)) return 0;
  sys(__NR_munmap, p + static_cast<long>(size), kGrowthRoom);
  return p;
}

long map_lasting(size_t size, int type, int fd) {
  size = page_up(size);
  long at = reserve(size);
  long p = sys(__NR_mmap, at, size, PROT_READ | PROT_WRITE, type | (at ? MAP_FIXED : 0), fd, 0L);
  if (failed(p) && at) sys(__NR_munmap, at, size);
  return p;
}

}  // namespace

void* map_lasting_pages(size_t size) {
  long p = map_lasting(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  return failed(p) ? nullptr : reinterpret_cast<void*>(p);
}

long map_lasting_file(int fd, size_t size) {
  return map_lasting(size, MAP_SHARED, fd);
}

}  // namespace mig
