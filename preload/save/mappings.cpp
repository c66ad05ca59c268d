// Reading and classifying the process's mappings (/proc/thread-self/smaps, proc(5)).
//
// What is ours alone is left out: the scratch memory, the job's control block (mapped again after a restart), and
// the running kernel's vDSO and its data. The vDSO that the program was born with is kept as ordinary memory: libc
// has its addresses, and after a restart they lead on (preload/vdso.cpp).
//
// Linux 6.1 has no name for a lock on fault and shows it as `??`, alone of all flags that a program can set; 6.18 calls it lf.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "image/base/async_ring.h"
#include "image/base/text.h"
#include "image/device.h"
#include "preload/job/shared.h"
#include "preload/save/async_contexts.h"
#include "preload/save/memory.h"
#include "preload/save/regular.h"
#include "preload/vdso.h"

namespace mig {
namespace {

struct Flag {
  char name[3];
  MappingAdvice advice;
};
constexpr Flag kFlags[] = {
    {"dc", kDontFork},   {"dd", kDontDump}, {"hg", kHugePage},    {"nh", kNoHugePage},  {"mg", kMergeable}, {"wf", kWipeOnFork},
    {"gd", kGrowsDown},  {"lo", kLocked},   {"nr", kNoReserve},   {"ht", kHugeTlb},     {"dp", kDroppable}, {"sl", kSealed},
    {"sr", kSequential}, {"rr", kRandom},   {"lf", kLockOnFault}, {"??", kLockOnFault},
};

uint32_t advice_of(const char* flag) {
  for (const Flag& f : kFlags)
    if (flag[0] == f.name[0] && flag[1] == f.name[1]) return f.advice;
  return 0;
}

bool is_mapping_line(const char* line) {
  return (line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f');
}

/// Maps escape a newline in a path as \012.
const char* keep_path(const char* path) {
  size_t n = strlen(path);
  auto copy = static_cast<char*>(scratch(n + 1));
  if (!copy) return nullptr;
  char* to = copy;
  for (const char* p = path; *p; ++p) {
    if (text_starts(p, "\\012")) *to++ = '\n', p += 3;
    else *to++ = *p;
  }
  *to = 0;
  return copy;
}

bool parse_line(const char* line, Mapping& m) {
  MappingRecord& r = m.record;
  Scan scan(line);
  r.start = scan.hex();
  r.end = scan.skip('-').hex();
  scan.skip_spaces();
  if (scan.next() == 'r') r.protection |= PROT_READ;
  if (scan.next() == 'w') r.protection |= PROT_WRITE;
  if (scan.next() == 'x') r.protection |= PROT_EXEC;
  bool shared = scan.next() == 's';
  r.offset = scan.hex();
  uint64_t major = scan.hex();
  r.device = major << 32 | scan.skip(':').hex();
  r.inode = static_cast<uint64_t>(scan.number());
  r.page_size = kPage;
  r.kind = static_cast<uint32_t>(shared ? MappingKind::kFileShared : MappingKind::kAnonymous);
  m.path = keep_path(scan.skip_spaces().at());
  return m.path;
}

/// Most lines are none of those, and a large process has many thousand.
void parse_attribute(const char* line, Mapping& m) {
  if (*line != 'R' && *line != 'S' && *line != 'P' && *line != 'K' && *line != 'V') return;
  if (text_starts(line, "Rss:")) m.resident += static_cast<uint64_t>(Scan(line + 4).number()) << 10;
  else if (text_starts(line, "Swap:")) m.resident += static_cast<uint64_t>(Scan(line + 5).number()) << 10;
  else if (text_starts(line, "Private_Hugetlb:")) m.resident += static_cast<uint64_t>(Scan(line + 16).number()) << 10;
  else if (text_starts(line, "Shared_Hugetlb:")) m.resident += static_cast<uint64_t>(Scan(line + 15).number()) << 10;
  else if (text_starts(line, "KernelPageSize:")) m.record.page_size = static_cast<uint32_t>(Scan(line + 15).number()) << 10;
  else if (text_starts(line, "ProtectionKey:")) m.record.protection_key = static_cast<uint32_t>(Scan(line + 14).number());
  else if (text_starts(line, "VmFlags:"))
    for (const char* p = Scan(line + 8).skip_spaces().at(); p[0] && p[1]; p += p[2] ? 3 : 2) m.record.advice |= advice_of(p);
}

bool is_own(const Mapping& m) {
  const MappingRecord& r = m.record;
  auto job = reinterpret_cast<uint64_t>(state.job);
  if (in_scratch(r.start) || in_shared_table(r.start) || (job && r.start <= job && job < r.end)) return true;
  if (r.start == state.vdso_start) return r.start != state.first_vdso;
  if (text_equal(m.path, "[vdso]")) return r.start != state.first_vdso;
  return text_starts(m.path, "[vvar") || text_equal(m.path, "[vsyscall]") || text_equal(m.path, "[uprobes]");
}

bool leads_to(const char* path, const MappingRecord& r, struct stat& st) {
  return sys(__NR_newfstatat, AT_FDCWD, path, &st, 0) == 0 && st.st_ino == r.inode;
}

/// A file whose first name is gone may have another one: sem_open() makes every semaphore in that way.
void look_at_file(Mapping& m) {
  MappingRecord& r = m.record;
  struct stat st;
  bool named = leads_to(m.path, r, st);
  if (!named && text_ends(m.path, " (deleted)")) {
    const_cast<char*>(m.path)[strlen(m.path) - 10] = 0;
    named = leads_to(m.path, r, st);
  }
  if (!named && r.kind == static_cast<uint32_t>(MappingKind::kFileShared)) {
    const char* path = other_name(m.path, r.inode, stat_device(r.device));
    if (path) m.path = path, named = leads_to(path, r, st);
  }
  if (!named) {
    r.flags |= kMappingFileDeleted;
    return;
  }
  r.file_size = static_cast<uint64_t>(st.st_size);
  r.file_mtime = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
}

/// Mappings of one file stand side by side, and it is looked at once.
bool take_from(const Mapping* before, Mapping& m) {
  MappingRecord& r = m.record;
  if (!before || before->record.inode != r.inode || before->record.device != r.device || !text_equal(before->path, m.path) ||
      !before->record.file_mtime || (before->record.flags & kMappingFileDeleted))
    return false;
  r.file_size = before->record.file_size, r.file_mtime = before->record.file_mtime;
  return true;
}

/// The kernel's own names for memory without a file.
bool is_named_anonymous(const char* path) {
  return text_equal(path, "/dev/zero") || text_equal(path, "/dev/zero (deleted)") || text_starts(path, "/anon_hugepage");
}

bool is_device(const char* path) {
  return text_starts(path, "/dev/") && !text_starts(path, "/dev/shm/") && !text_ends(path, " (deleted)");
}

void classify(Mapping& m, const Mapping* before) {
  MappingRecord& r = m.record;
  bool shared = r.kind == static_cast<uint32_t>(MappingKind::kFileShared);
  auto set = [&](MappingKind kind) { r.kind = static_cast<uint32_t>(kind); };
  if (text_equal(m.path, "[stack]")) r.advice |= kStack;
  if (m.path[0] != '/') {
    if (m.path[0] == '[' || !m.path[0]) set(shared ? MappingKind::kSharedAnonymous : MappingKind::kAnonymous);
    else set(MappingKind::kDevice);
    return;
  }
  if (text_starts(m.path, "/SYSV")) set(MappingKind::kSystemV);
  else if (text_starts(m.path, "/memfd:")) set(shared ? MappingKind::kMemfd : MappingKind::kFilePrivate);
  else if (is_named_anonymous(m.path)) set(shared ? MappingKind::kSharedAnonymous : MappingKind::kAnonymous);
  else if (text_starts(m.path, kAsyncRingName))
    set(is_async_ring(r.start, r.end - r.start) ? MappingKind::kAsyncRing : MappingKind::kSharedAnonymous);
  else if (is_device(m.path)) set(MappingKind::kDevice);
  else {
    set(shared ? MappingKind::kFileShared : MappingKind::kFilePrivate);
    if (!take_from(before, m)) look_at_file(m);
    if (shared && (r.flags & kMappingFileDeleted)) set(MappingKind::kMemfd);
  }
  if (text_starts(m.path, "/memfd:")) r.flags |= kMappingFileDeleted;
}

/// A private mapping of an executable or library, or of a file without a name, is saved whole.
void decide_carrying(Mappings& mappings) {
  uint64_t last_inode = 0, last_device = 0;
  bool last_executable = false;
  for (Mapping& m : mappings) {
    MappingRecord& r = m.record;
    if (r.kind != static_cast<uint32_t>(MappingKind::kFilePrivate)) continue;
    if (r.inode != last_inode || r.device != last_device) {
      last_inode = r.inode, last_device = r.device, last_executable = false;
      for (const Mapping& n : mappings)
        if (n.record.inode == r.inode && n.record.device == r.device && (n.record.protection & PROT_EXEC)) {
          last_executable = true;
          break;
        }
    }
    if (last_executable || (r.flags & kMappingFileDeleted)) r.flags |= kMappingCarried;
  }
}

}  // namespace

bool list_mappings(Mappings& mappings) {
  load_vdso_pages();
  LineReader<16384> smaps("/proc/thread-self/smaps");
  if (!smaps.ok()) return refuse_errno(Error::kUnsupportedSetting, "/proc/thread-self/smaps", "open", -smaps.error());
  while (char* line = smaps.next()) {
    if (is_mapping_line(line)) {
      Mapping m{};
      if (!parse_line(line, m) || !mappings.push(m))
        return refuse(Error::kPendingLost, "the list of mappings", "the kernel gave no memory for it");
    } else if (mappings.size()) {
      parse_attribute(line, mappings[mappings.size() - 1]);
    }
  }
  size_t kept = 0;
  for (Mapping& m : mappings)
    if (!is_own(m)) {
      classify(m, kept ? &mappings[kept - 1] : nullptr);
      mappings[kept++] = m;
    }
  mappings.resize_down(kept);
  decide_carrying(mappings);
  return true;
}

const char* mapping_problem(const Mapping& m) {
  switch (static_cast<MappingKind>(m.record.kind)) {
    case MappingKind::kDevice: return "it is the memory of a device";
    case MappingKind::kSystemV: return "System V shared memory outlives the process and is not saved yet";
    default: return nullptr;
  }
}

}  // namespace mig
