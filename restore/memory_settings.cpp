// Guard regions, seals and keys that this kernel does not have are refused: the program relies on them.
#include "restore/memory_settings.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "restore/async_rings.h"
#include "restore/failure.h"
#include "restore/mappings.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr long kMseal = 462;  ///< Linux 6.10

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

void finish_memory() {
  restore_protection_keys();
  for (const PlannedMapping& m : mappings)
    if (m.kind() == MappingKind::kAsyncRing) restore_async_ring(m.record);
  for (const PlannedMapping& m : mappings) finish_mapping(m);
  restore_guards();
  for (const PlannedMapping& m : mappings)
    if (m.record.advice & kSealed) seal(m);
  set_bounds();
}

}  // namespace mig
