// For tests: a vDSO from a file in place of the running kernel's (`mig-restart --vdso FILE`, test/cases/kernel.py), so that a
// restart on a kernel with another vDSO can be tried on one machine. The library cannot tell the difference. The
// kernel's own stays where it is, unused.
#include "restore/vdso.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "restore/failure.h"
#include "restore/mappings.h"

namespace mig {

uint64_t map_made_up_vdso(const char* path) {
  ScopedFd fd(open_path(path, O_RDONLY));
  struct stat st {};
  if (!fd.ok() || sys(__NR_fstat, fd.get(), &st) < 0) give_up(Error::kFileMissing, path, "open", -fd.error());
  auto size = page_up(static_cast<uint64_t>(st.st_size));
  uint64_t at = free_range(size);
  long p = sys(__NR_mmap, at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0L);
  if (failed(p)) give_up(Error::kNoMemory, path, "map", p);
  if (long n = pread_all(fd.get(), reinterpret_cast<void*>(at), static_cast<size_t>(st.st_size), 0); n < 0)
    give_up(Error::kFileMissing, path, "read", n);
  sys(__NR_mprotect, at, size, PROT_READ | PROT_EXEC);
  return at;
}

}  // namespace mig
