// The kernel's vDSO and its data stay, or move where the image needs nothing.
#include "restore/address_space.h"

#include <sys/mman.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "restore/failure.h"
#include "restore/home.h"
#include "restore/mappings.h"
#include "restore/shared_memory.h"

namespace mig {

unsigned long clear_address_space() {
  struct Span {
    uint64_t start, end;
    bool kernel;
  };
  HomeArray<Span> spans;
  uint64_t vdso = 0, kernel_start = 0, kernel_end = 0;
  LineReader<8192> maps("/proc/self/maps");
  while (char* line = maps.next()) {
    Scan scan(line);
    Span s{};
    s.start = scan.hex();
    s.end = scan.skip('-').hex();
    bool is_vdso = text_ends(line, "[vdso]");
    s.kernel = is_vdso || text_find(line, "[vvar");
    if (is_vdso) vdso = s.start;
    if (s.kernel && !kernel_start) kernel_start = s.start;
    if (s.kernel) kernel_end = s.end;
    if (!text_ends(line, "[vsyscall]")) spans.push(s);
  }
  AddressRange home = home_range();
  for (const Span& s : spans)
    if (!s.kernel && !(s.start >= home.start && s.end <= home.end) && !is_shared_memory(s.start))
      sys(__NR_munmap, s.start, s.end - s.start);
  if (!kernel_start || !is_needed(kernel_start, kernel_end)) return vdso;
  uint64_t new_start = free_range(kernel_end - kernel_start);
  for (const Span& s : spans) {
    if (!s.kernel) continue;
    long r = sys(__NR_mremap, s.start, s.end - s.start, s.end - s.start, MREMAP_MAYMOVE | MREMAP_FIXED,
                 s.start - kernel_start + new_start);
    if (failed(r)) give_up(Error::kNoMemory, "the kernel's vDSO", "move it out of the way", r);
  }
  return vdso - kernel_start + new_start;
}

}  // namespace mig
