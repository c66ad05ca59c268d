// Reloading memory: the mappings as they were, and their contents.
//
// Anonymous memory comes back anonymous: fresh pages, filled by preadv. (Mapping the image file privately instead
// would be faster and wrong: MADV_DONTNEED would then give back stale bytes instead of zeros.) The file is read
// front to back in its blocks of 1 MiB; each block is verified while it is still in the cache. A program's or
// library's pages are loaded from the image, unless the very file (size, time) is here: then it is mapped and only
// the changed pages are loaded.
//
// Older kernels: droppable memory becomes ordinary memory (its flags "wiped on fork" and "not dumped" are saved as such); that it
// is never dropped is what the program would see on a host with enough memory. Guard regions and seals are refused.
#include "restore/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "image/base/checksum.h"
#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/file_pages.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/options.h"
#include "restore/plan.h"
#include "restore/spread.h"

namespace mig {
namespace {

struct PlannedMapping {
  MappingRecord record;
  const char* path;
  bool from_file;  ///< a private mapping whose file is here, unchanged
};

constexpr int kMapDroppable = 0x08;  ///< Linux 6.11
constexpr long kMseal = 462;         ///< Linux 6.10

/// Nameless memory that several processes have: mapped where no process has anything, until each has its views of it.
struct SharedMemory {
  MappingRecord record;  ///< of one of its mappings
  uint64_t address, size;
};

HomeArray<SharedMemory> shared_memory;
HomeArray<PlannedMapping> mappings;
HomeArray<AddressRange> taken;  ///< what the library and `mappings` need, in order

MappingKind kind_of(const PlannedMapping& m) {
  return static_cast<MappingKind>(m.record.kind);
}

[[noreturn]] void mapping_failed(const PlannedMapping& m, const char* action, long result) {
  char object[4300];
  Text t(object);
  (t << "memory at 0x").hex(m.record.start) << " (" << (m.path[0] ? m.path : "anonymous") << ")";
  give_up(Error::kNoMemory, object, action, result);
}

bool same_file(const MappingRecord& r, const struct stat& st) {
  return static_cast<uint64_t>(st.st_size) == r.file_size &&
         st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec == r.file_mtime;
}

void plan_mappings() {
  if (mappings.size()) return;
  image.each(RecordType::kMapping, [](const RecordHeader* h) {
    PlannedMapping m{record_as<MappingRecord>(h), record_tail(h), false};
    mappings.push(m);
  });
  add_used_ranges(image, taken);
  sort_ranges(taken.begin(), taken.size());
}

int flags_of(const MappingRecord& r) {
  int flags = MAP_FIXED_NOREPLACE;
  if (r.advice & kGrowsDown) flags |= MAP_GROWSDOWN;
  if (r.advice & kNoReserve) flags |= MAP_NORESERVE;
  if (r.advice & kStack) flags |= MAP_STACK;
  if (r.advice & kHugeTlb) flags |= MAP_HUGETLB | (__builtin_ctz(r.page_size) << MAP_HUGE_SHIFT);
  return flags;
}

void map_anonymous(const PlannedMapping& m) {
  const MappingRecord& r = m.record;
  auto map = [&](int type) {
    return sys(__NR_mmap, r.start, r.end - r.start, r.protection, flags_of(r) | type | MAP_ANONYMOUS, -1, 0L);
  };
  long p = map((r.advice & kDroppable) ? kMapDroppable : MAP_PRIVATE);
  if (p == -EINVAL && (r.advice & kDroppable)) p = map(MAP_PRIVATE);
  if (failed(p)) mapping_failed(m, "map", p);
}

void map_file(const PlannedMapping& m, bool shared) {
  const MappingRecord& r = m.record;
  char buffer[4200];
  const char* path = mapped_path(m.path, buffer, sizeof buffer);
  bool writable = shared && (r.protection & PROT_WRITE);
  ScopedFd fd(open_path(path, writable ? O_RDWR : O_RDONLY));
  if (!fd.ok()) give_up(Error::kFileMissing, path, "open", -fd.error());
  long p = sys(__NR_mmap, r.start, r.end - r.start, r.protection, flags_of(r) | (shared ? MAP_SHARED : MAP_PRIVATE), fd.get(),
               r.offset);
  if (failed(p)) mapping_failed(m, "map", p);
}

bool same_object(const MappingRecord& a, const MappingRecord& b) {
  return a.inode == b.inode && a.device == b.device;
}

/// An object that a descriptor refers to as well is that descriptor's file.
bool map_described_object(const PlannedMapping& m) {
  const MappingRecord& r = m.record;
  int fd = find_mapped_object(r.device, r.inode);
  if (fd < 0) return false;
  long p = sys(__NR_mmap, r.start, r.end - r.start, r.protection, flags_of(r) | MAP_SHARED, fd, r.offset);
  if (failed(p)) mapping_failed(m, "map", p);
  return true;
}

bool is_view(const PlannedMapping& m, const MappingRecord& object) {
  return same_object(m.record, object) && m.record.kind == object.kind;
}

uint64_t end_in_object(const MappingRecord& r) {
  return r.offset + (r.end - r.start);
}

uint64_t make_object(const MappingRecord& r, uint64_t address, uint64_t size) {
  int flags = (flags_of(r) & ~MAP_GROWSDOWN) | MAP_SHARED | MAP_ANONYMOUS;
  long p = sys(__NR_mmap, address, size, PROT_READ | PROT_WRITE, flags, -1, 0L);
  if (failed(p)) mapping_failed({r, "", false}, "map", p);
  return static_cast<uint64_t>(p);
}

/// mremap with an old size of zero duplicates a shared mapping.
void map_views(const MappingRecord& object, uint64_t whole) {
  for (const PlannedMapping& view : mappings) {
    if (!is_view(view, object)) continue;
    const MappingRecord& r = view.record;
    long at = sys(__NR_mremap, whole + r.offset, 0L, r.end - r.start, MREMAP_MAYMOVE | MREMAP_FIXED, r.start);
    if (failed(at)) mapping_failed(view, "map a view", at);
    sys(__NR_mprotect, r.start, r.end - r.start, r.protection);
  }
}

const SharedMemory* find_shared_memory(const MappingRecord& r) {
  for (const SharedMemory& s : shared_memory)
    if (same_object(s.record, r) && s.record.kind == r.kind) return &s;
  return nullptr;
}

/// The first mapping of a nameless shared object makes it, as large as the largest mapping needs, unless it was made before the
/// processes were forked; all of them are views of it.
void map_shared_object(size_t index) {
  const MappingRecord& r = mappings[index].record;
  uint64_t size = 0;
  for (const PlannedMapping& other : mappings) {
    if (!is_view(other, r)) continue;
    if (&other < &mappings[index]) return;
    uint64_t end = end_in_object(other.record);
    size = end > size ? end : size;
  }
  if (const SharedMemory* made = find_shared_memory(r)) return map_views(r, made->address);
  uint64_t whole = make_object(r, free_range(size), size);
  map_views(r, whole);
  sys(__NR_munmap, whole, size);
}

bool is_nameless(const MappingRecord& r) {
  auto kind = static_cast<MappingKind>(r.kind);
  return kind == MappingKind::kSharedAnonymous || (kind == MappingKind::kMemfd && find_mapped_object(r.device, r.inode) < 0);
}

SpreadKey key_of(const MappingRecord& r) {
  return {r.kind, r.device, r.inode};
}

void list_shared_memory(const Plan& plan, const Spread& spread) {
  for (const PlannedProcess& p : plan.processes)
    p.file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& r, const char*) {
      if (!is_nameless(r) || !spread.has_several(key_of(r))) return;
      auto known = const_cast<SharedMemory*>(find_shared_memory(r));
      if (!known) {
        shared_memory.push({r, 0, 0});
        known = &shared_memory[shared_memory.size() - 1];
      }
      if (uint64_t end = end_in_object(r); end > known->size) known->size = end;
    });
}

bool is_shared_memory(uint64_t address) {
  for (const SharedMemory& s : shared_memory)
    if (address >= s.address && address < s.address + s.size) return true;
  return false;
}

void make_mapping(size_t index) {
  const PlannedMapping& m = mappings[index];
  switch (kind_of(m)) {
    case MappingKind::kAnonymous: return map_anonymous(m);
    case MappingKind::kFilePrivate:
      if (m.from_file || !(m.record.flags & kMappingCarried)) return map_file(m, false);
      return map_anonymous(m);
    case MappingKind::kFileShared: return map_file(m, true);
    case MappingKind::kMemfd:
      if (map_described_object(m)) return;
      [[fallthrough]];
    case MappingKind::kSharedAnonymous: return map_shared_object(index);
    default: mapping_failed(m, "this kind of mapping", -EOPNOTSUPP);
  }
}

/// The mapping that contains an address; addresses come in order, so the search goes on from the last one.
class Finder {
 public:
  const PlannedMapping* find(uint64_t address) {
    if (at_ && address < mappings[at_].record.start) at_ = 0;
    while (at_ < mappings.size() && address >= mappings[at_].record.end) ++at_;
    return at_ < mappings.size() && address >= mappings[at_].record.start ? &mappings[at_] : nullptr;
  }

 private:
  size_t at_ = 0;
};

/// Gathers the destinations of the file's data in file order and reads it block by block.
class Loader {
 public:
  Loader() : dump_(static_cast<char*>(home_memory(kBlockSize))) { XXH3_64bits_reset(&hash_); }

  /// The next `size` bytes of the file belong at `address`; 0: they are not needed, only verified.
  void add(uint64_t address, uint64_t size) {
    while (size) {
      uint64_t in_block = (position_ - kDataOffset) % kBlockSize;
      uint64_t n = size < kBlockSize - in_block ? size : kBlockSize - in_block;
      if (pieces_ == kPieces) read();
      piece_[pieces_++] = {address ? reinterpret_cast<void*>(address) : dump_ + in_block, n};
      pending_ += n, position_ += n, size -= n;
      if (address) address += n;
      if ((position_ - kDataOffset) % kBlockSize == 0) end_block();
    }
  }
  void finish() {
    if ((position_ - kDataOffset) % kBlockSize) end_block();
    if (position_ != image.data_end()) give_up(Error::kChecksum, image.path(), "its tables do not fit its data");
  }
  uint64_t position() const { return position_; }

 private:
  static constexpr int kPieces = 256;
  static constexpr size_t kMany = 64 << 10;
  static constexpr int kPopulateWrite = 23;  ///< MADV_POPULATE_WRITE, Linux 5.14

  /// A page fault for each page of fresh memory would cost more. Where this does not work, they come.
  static void populate(const iovec& piece) {
    if (piece.iov_len >= kMany) sys(__NR_madvise, piece.iov_base, piece.iov_len, kPopulateWrite);
  }

  void read() {
    for (int i = 0; i < pieces_; ++i) populate(piece_[i]);
    uint64_t at = position_ - pending_;
    for (int i = 0; i < pieces_;) {
      long n = sys(__NR_preadv, image.fd(), piece_ + i, pieces_ - i, at, 0L);
      if (n == -EINTR) continue;
      if (n == -EFAULT || n == -ENOMEM) give_up(Error::kNoMemory, image.path(), "load its pages", n);
      if (n < 0) give_up(Error::kChecksum, image.path(), "read", n);
      if (n == 0) give_up(Error::kTruncated, image.path(), "it ends before its data does");
      at += static_cast<uint64_t>(n);
      hash(i, static_cast<uint64_t>(n));
    }
    pieces_ = 0, pending_ = 0;
  }
  /// Hashes what has just arrived and moves over it.
  void hash(int& i, uint64_t n) {
    while (n) {
      iovec& v = piece_[i];
      uint64_t m = v.iov_len < n ? v.iov_len : n;
      XXH3_64bits_update(&hash_, v.iov_base, m);
      v.iov_base = static_cast<char*>(v.iov_base) + m;
      v.iov_len -= m, n -= m;
      if (!v.iov_len) ++i;
    }
  }
  void end_block() {
    read();
    if (XXH3_64bits_digest(&hash_) != image.block_checksum(block_++))
      give_up(Error::kChecksum, image.path(), "a checksum does not match");
    XXH3_64bits_reset(&hash_);
  }

  char* dump_;
  alignas(64) XXH3_state_t hash_;
  iovec piece_[kPieces];
  int pieces_ = 0;
  uint64_t pending_ = 0, position_ = kDataOffset, block_ = 0;
};

void make_writable(const PlannedMapping& m, uint64_t start, uint64_t end) {
  if (m.record.protection & PROT_WRITE) return;
  long r = sys(__NR_mprotect, start, end - start, PROT_READ | PROT_WRITE);
  if (r < 0) mapping_failed(m, "make writable for loading", r);
}

void load_run(Loader& loader, Finder& finder, uint64_t address, uint64_t size, bool clean) {
  const PlannedMapping* m = finder.find(address);
  if (!m || address + size > m->record.end) give_up(Error::kChecksum, image.path(), "a run of pages lies outside every mapping");
  if (clean && m->from_file) return loader.add(0, size);
  make_writable(*m, address, address + size);
  loader.add(address, size);
}

void load_packed(Loader& loader, Finder& finder, const PackedPagesRecord& p, const char* tail) {
  auto bitmap = reinterpret_cast<const unsigned char*>(tail);
  uint64_t pages = (p.end - p.start) / kPage;
  for (uint64_t i = 0; i < pages; ++i) {
    if (!(bitmap[i / 8] >> i % 8 & 1)) continue;
    uint64_t first = i;
    while (i + 1 < pages && (bitmap[(i + 1) / 8] >> (i + 1) % 8 & 1)) ++i;
    load_run(loader, finder, p.start + first * kPage, (i + 1 - first) * kPage, false);
  }
}

/// Segments and packed mappings stand in the file in address order; a packed mapping is reached when the file
/// position is.
void load_pages() {
  Loader loader;
  Finder finder;
  size_t next = 1;
  auto load_segments = [&](uint64_t until) {
    for (; next < image.segment_count(); ++next) {
      const Elf64_Phdr& s = image.segments()[next];
      if (!s.p_filesz) continue;
      if (s.p_offset >= until) return;
      load_run(loader, finder, s.p_vaddr, s.p_filesz, s.p_flags & kSegmentClean);
    }
  };
  image.each_as<PackedPagesRecord>(RecordType::kPackedPages, [&](const PackedPagesRecord& p, const char* tail) {
    load_segments(p.file_offset);
    load_packed(loader, finder, p, tail);
  });
  load_segments(~0UL);
  loader.finish();
}

/// Before the own pages, some of which lie among them.
void load_pages_of_others(const Plan& plan) {
  Finder finder;
  for (size_t i = 1; i < image.segment_count(); ++i) {
    const Elf64_Phdr& s = image.segments()[i];
    const PlannedMapping* m = !s.p_filesz && (s.p_flags & kSegmentClean) ? finder.find(s.p_vaddr) : nullptr;
    if (!m || m->from_file) continue;
    uint64_t end = m->record.start + page_up(m->record.file_size - m->record.offset);
    if (end > s.p_vaddr + s.p_memsz) end = s.p_vaddr + s.p_memsz;
    make_writable(*m, s.p_vaddr, end);
    load_file_pages(plan, m->record, s.p_vaddr, end - s.p_vaddr);
  }
}

void restore_guards() {
  constexpr int kGuardInstall = 102;
  image.each_as<GuardRecord>(RecordType::kGuard, [](const GuardRecord& g, const char*) {
    long r = sys(__NR_madvise, g.start, g.end - g.start, kGuardInstall);
    if (r == -EINVAL)
      give_up(Error::kResourceFailed, "a guard region of the program's memory", "this kernel has none (Linux 6.13)");
    if (r < 0) give_up(Error::kResourceFailed, "a guard region of the program's memory", "MADV_GUARD_INSTALL", r);
  });
}

/// Keys are given out in order: allocate up to the highest, give back those the program had not.
void restore_protection_keys() {
  uint32_t keys = 0;
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) { keys = p.protection_keys; });
  uint32_t have = 1;
  while (keys & ~have) {
    long key = sys(__NR_pkey_alloc, 0, 0);
    if (key < 0 || key > 31) give_up(Error::kResourceFailed, "memory protection keys", "pkey_alloc", key);
    have |= 1u << key;
  }
  for (int key = 1; key < 32; ++key)
    if (have & ~keys & 1u << key) sys(__NR_pkey_free, key);
}

struct AdviceCall {
  MappingAdvice flag;
  int advice;
};
constexpr AdviceCall kAdvice[] = {
    {kDontFork, MADV_DONTFORK},   {kDontDump, MADV_DONTDUMP},     {kHugePage, MADV_HUGEPAGE},     {kNoHugePage, MADV_NOHUGEPAGE},
    {kMergeable, MADV_MERGEABLE}, {kWipeOnFork, MADV_WIPEONFORK}, {kSequential, MADV_SEQUENTIAL}, {kRandom, MADV_RANDOM},
};

void finish_mapping(const PlannedMapping& m) {
  const MappingRecord& r = m.record;
  uint64_t size = r.end - r.start;
  if (r.protection_key) {
    if (long e = sys(__NR_pkey_mprotect, r.start, size, r.protection, r.protection_key); e < 0)
      mapping_failed(m, "give it its protection key", e);
  } else if (!(r.protection & PROT_WRITE)) {
    if (long e = sys(__NR_mprotect, r.start, size, r.protection); e < 0) mapping_failed(m, "protect", e);
  }
  for (const AdviceCall& a : kAdvice)
    if (r.advice & a.flag) sys(__NR_madvise, r.start, size, a.advice);
  if (r.advice & kLocked) {
    long e = sys(__NR_mlock2, r.start, size, (r.advice & kLockOnFault) ? 1 : 0);
    if (e < 0) mapping_failed(m, "lock", e);
  }
}

void seal(const PlannedMapping& m) {
  long r = sys(kMseal, m.record.start, m.record.end - m.record.start, 0);
  if (r == -ENOSYS) give_up(Error::kResourceFailed, "sealed memory", "this kernel cannot seal (mseal, Linux 6.10)");
  if (r < 0) mapping_failed(m, "seal", r);
}

/// struct prctl_mm_map (linux/prctl.h).
struct KernelMemoryMap {
  MemoryBounds bounds;
  uint64_t auxv;
  uint32_t auxv_size;
  uint32_t exe_fd;
};

void set_bounds() {
  KernelMemoryMap map{};
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) { map.bounds = p.bounds; });
  image.each(RecordType::kAuxv, [&](const RecordHeader* h) {
    map.auxv = reinterpret_cast<uint64_t>(record_tail(h));
    map.auxv_size = h->tail_size;
  });
  char buffer[4200];
  const char* executable = image.text(TextRole::kExecutable);
  ScopedFd exe(executable ? open_path(mapped_path(executable, buffer, sizeof buffer), O_RDONLY) : -1);
  map.exe_fd = static_cast<uint32_t>(exe.ok() ? exe.get() : -1);
  long r = sys(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  if (r < 0 && exe.ok()) {
    map.exe_fd = static_cast<uint32_t>(-1);
    r = sys(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  }
  if (r < 0) give_up(Error::kResourceFailed, "the memory bounds (brk, arguments)", "PR_SET_MM_MAP", r);
}

}  // namespace

void check_mapped_files() {
  plan_mappings();
  for (PlannedMapping& m : mappings) {
    bool is_private = kind_of(m) == MappingKind::kFilePrivate;
    if (!is_private && kind_of(m) != MappingKind::kFileShared) continue;
    bool carried = m.record.flags & kMappingCarried;
    if (carried && (m.record.flags & kMappingFileDeleted)) continue;
    char buffer[4200];
    const char* path = mapped_path(m.path, buffer, sizeof buffer);
    struct stat st;
    long r = sys(__NR_newfstatat, AT_FDCWD, path, &st, 0);
    if (is_private) m.from_file = r == 0 && same_file(m.record, st);
    if (carried) continue;
    if (r < 0) give_up(Error::kFileMissing, path, "it is mapped into memory", r);
    if (is_private && !m.from_file) give_up(Error::kFileChanged, path, "it is mapped into memory and has changed since");
  }
}

void make_shared_memory(const Plan& plan) {
  HomeArray<AddressRange> used;
  int32_t index = 0;
  for (const PlannedProcess& p : plan.processes) add_used_ranges(p.file, used);
  Spread spread(used.size());
  for (const PlannedProcess& p : plan.processes) {
    p.file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& r, const char*) {
      if (is_nameless(r)) spread.note(key_of(r), index);
    });
    ++index;
  }
  list_shared_memory(plan, spread);
  sort_ranges(used.begin(), used.size());
  for (SharedMemory& s : shared_memory) {
    uint64_t unit = s.record.page_size;
    s.size = (s.size + unit - 1) / unit * unit;
    uint64_t free = find_free_range(used.begin(), used.size(), s.size + unit);
    s.address = make_object(s.record, (free + unit - 1) / unit * unit, s.size);
  }
}

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
  uint64_t new_start = kernel_start;
  for (const AddressRange& range : taken)
    if (range.start < kernel_end && range.end > kernel_start) new_start = 0;
  if (new_start || !kernel_start) return vdso;
  new_start = free_range(kernel_end - kernel_start);
  for (const Span& s : spans) {
    if (!s.kernel) continue;
    long r = sys(__NR_mremap, s.start, s.end - s.start, s.end - s.start, MREMAP_MAYMOVE | MREMAP_FIXED,
                 s.start - kernel_start + new_start);
    if (failed(r)) give_up(Error::kNoMemory, "the kernel's vDSO", "move it out of the way", r);
  }
  return vdso - kernel_start + new_start;
}

unsigned long free_range(unsigned long size) {
  return find_free_range(taken.begin(), taken.size(), size);
}

unsigned long mapped_until(unsigned long address, int protection) {
  size_t low = 0, high = mappings.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (mappings[middle].record.end <= address) low = middle + 1;
    else high = middle;
  }
  if (low == mappings.size()) return 0;
  const MappingRecord& r = mappings[low].record;
  return r.start <= address && (static_cast<int>(r.protection) & protection) == protection ? r.end : 0;
}

void restore_memory(const Plan& plan) {
  for (size_t i = 0; i < mappings.size(); ++i) make_mapping(i);
  for (const SharedMemory& s : shared_memory) sys(__NR_munmap, s.address, s.size);
  load_pages_of_others(plan);
  load_pages();
}

void finish_memory() {
  restore_protection_keys();
  for (const PlannedMapping& m : mappings) finish_mapping(m);
  restore_guards();
  for (const PlannedMapping& m : mappings)
    if (m.record.advice & kSealed) seal(m);
  set_bounds();
}

}  // namespace mig
