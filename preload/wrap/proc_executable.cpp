// The executable of a restarted process, as others see it. An ordinary user cannot tell the kernel of it (PR_SET_MM_EXE_FILE),
// so /proc/PID/exe leads to the stub. The process's auxiliary vector says where its program headers are, and its mappings
// what file is mapped there.
#include "preload/wrap/proc_executable.h"

#include <elf.h>
#include <fcntl.h>

#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {
namespace {

constexpr char kStub[] = "/mig-restart";
constexpr size_t kAuxvSize = 1024, kMapsSize = 4096;

struct ProcessFile {
  ProcessFile(int32_t process, const char* name) { Text(path) << "/proc/" << process << "/" << name; }
  char path[64];
};

uint64_t program_headers(int32_t process) {
  Elf64_auxv_t entries[kAuxvSize / sizeof(Elf64_auxv_t)];
  ScopedFd fd(open_path(ProcessFile(process, "auxv").path, O_RDONLY));
  long n = fd.ok() ? pread_all(fd.get(), entries, sizeof entries, 0) : 0;
  for (long i = 0; i < n / static_cast<long>(sizeof *entries); ++i)
    if (entries[i].a_type == AT_PHDR) return entries[i].a_un.a_val;
  return 0;
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE PATH`
bool is_mapping_of(Scan& line, uint64_t address) {
  uint64_t start = line.hex(), end = line.skip('-').hex();
  for (int i = 0; i < 4; ++i) line.skip_spaces().after(' ');
  line.skip_spaces();
  return address >= start && address < end;
}

bool take_path(Scan line, char* buffer, size_t size) {
  Text path(buffer, size);
  while (line.at()[0] && line.at()[0] != '\n') path.put(line.next());
  return buffer[0] == '/' && !path.overflow();
}

}  // namespace

bool restored_executable(int32_t process, char* buffer, size_t size) {
  long n = sys(__NR_readlink, ProcessFile(process, "exe").path, buffer, size - 1);
  if (n <= 0) return false;
  buffer[n] = 0;
  if (!text_ends(buffer, kStub)) return false;
  uint64_t address = program_headers(process);
  char maps[kMapsSize];
  if (!address || read_text(ProcessFile(process, "maps").path, maps, sizeof maps) <= 0) return false;
  for (Scan line(maps); line.at()[0]; line.after('\n'))
    if (is_mapping_of(line, address)) return take_path(line, buffer, size);
  return false;
}

}  // namespace mig
