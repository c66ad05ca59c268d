// The vDSO: code that the kernel lends to every process, different from kernel to kernel.
//
// libc and others have looked up its functions once and keep their addresses. So the pages of the vDSO that the
// program was born with travel as ordinary memory, at their old address, and after a restart each function in it
// begins with a jump to the running kernel's function of that name. The symbol table in the old pages stays
// intact: it tells where the functions are, now and at the next restart. A function that the new kernel lacks
// leads to one of ours that makes the system call.
#include "preload/vdso.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "image/base/clock.h"
#include "image/base/futex.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/times.h"
#include "preload/unsplit.h"

namespace mig {
namespace {

/// The dynamic symbols of a vDSO in memory.
class VdsoImage {
 public:
  explicit VdsoImage(uint64_t base) {
    if (!base) return;
    auto header = reinterpret_cast<const Elf64_Ehdr*>(base);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
    auto ph = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
    const Elf64_Dyn* dynamic = nullptr;
    for (int i = 0; i < header->e_phnum; ++i) {
      if (ph[i].p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const Elf64_Dyn*>(base + ph[i].p_offset);
      if (ph[i].p_type == PT_LOAD) end_ = base + ph[i].p_offset + ph[i].p_memsz, bias_ = base + ph[i].p_offset - ph[i].p_vaddr;
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; ++dynamic) read(*dynamic);
  }
  uint64_t end() const { return end_; }

  /// Calls visit(name, address) for each function.
  template <class Visit>
  void each_function(Visit visit) const {
    for (uint32_t i = 0; i < count_; ++i)
      if (symbols_[i].st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbols_[i].st_info) != STT_OBJECT && symbols_[i].st_value)
        visit(strings_ + symbols_[i].st_name, bias_ + symbols_[i].st_value);
  }
  uint64_t find(const char* name) const {
    uint64_t found = 0;
    each_function([&](const char* n, uint64_t address) {
      if (text_equal(n, name)) found = address;
    });
    return found;
  }

 private:
  void read(const Elf64_Dyn& d) {
    uint64_t address = bias_ + d.d_un.d_ptr;
    if (d.d_tag == DT_SYMTAB) symbols_ = reinterpret_cast<const Elf64_Sym*>(address);
    if (d.d_tag == DT_STRTAB) strings_ = reinterpret_cast<const char*>(address);
    if (d.d_tag == DT_HASH) count_ = reinterpret_cast<const uint32_t*>(address)[1];
    if (d.d_tag == DT_GNU_HASH && !count_) count_ = count_by_gnu_hash(reinterpret_cast<const uint32_t*>(address));
  }
  /// The table has no count: the last chain ends with an odd word.
  static uint32_t count_by_gnu_hash(const uint32_t* table) {
    uint32_t buckets = table[0], first = table[1], bloom = table[2], last = 0;
    const uint32_t* bucket = table + 4 + size_t{bloom} * 2;
    const uint32_t* chain = bucket + buckets;
    for (uint32_t i = 0; i < buckets; ++i) last = bucket[i] > last ? bucket[i] : last;
    if (last < first) return first;
    while (!(chain[last - first] & 1)) ++last;
    return last + 1;
  }

  uint64_t bias_ = 0, end_ = 0;
  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
  uint32_t count_ = 0;
};

/// Functions of the running kernel's vDSO. Who has read one of these must have called it before a checkpoint: hence MIG_UNSPLIT.
long (*kernel_clock_gettime)(long, timespec*);
long (*kernel_gettimeofday)(timeval*, void*);
long (*kernel_time)(long*);
long (*kernel_getcpu)(unsigned*, unsigned*, void*);
long (*kernel_clock_getres)(long, timespec*);

MIG_UNSPLIT long shifted_clock_gettime(long clock, timespec* t) {
  if (clock < 0) return get_clock(clock, t);
  for (;;) {
    uint32_t epoch = load(&clock_epoch);
    long r = kernel_clock_gettime ? kernel_clock_gettime(clock, t) : sys(__NR_clock_gettime, clock, t);
    int64_t shift = clock_shift(clock);
    if (epoch != load(&clock_epoch)) continue;
    if (r == 0 && shift) *t = to_timespec(nanoseconds(*t) + shift);
    return r;
  }
}
MIG_UNSPLIT long plain_gettimeofday(timeval* t, void* zone) {
  return kernel_gettimeofday ? kernel_gettimeofday(t, zone) : sys(__NR_gettimeofday, t, zone);
}
MIG_UNSPLIT long plain_time(long* t) {
  return kernel_time ? kernel_time(t) : sys(__NR_time, t);
}
MIG_UNSPLIT long plain_getcpu(unsigned* cpu, unsigned* node, void* unused) {
  return kernel_getcpu ? kernel_getcpu(cpu, node, unused) : sys(__NR_getcpu, cpu, node, unused);
}
MIG_UNSPLIT long plain_clock_getres(long clock, timespec* t) {
  if (clock < 0) return sys(__NR_clock_getres, real_clock(clock), t);
  return kernel_clock_getres ? kernel_clock_getres(clock, t) : sys(__NR_clock_getres, clock, t);
}
/// For a function that only a newer kernel knows (getrandom): its callers fall back to the system call.
long absent() {
  return -ENOSYS;
}

uint64_t target_of(const char* name) {
  while (*name == '_') ++name;
  if (text_starts(name, "vdso_")) name += 5;
  if (text_equal(name, "clock_gettime")) return reinterpret_cast<uint64_t>(shifted_clock_gettime);
  if (text_equal(name, "gettimeofday")) return reinterpret_cast<uint64_t>(plain_gettimeofday);
  if (text_equal(name, "time")) return reinterpret_cast<uint64_t>(plain_time);
  if (text_equal(name, "getcpu")) return reinterpret_cast<uint64_t>(plain_getcpu);
  if (text_equal(name, "clock_getres")) return reinterpret_cast<uint64_t>(plain_clock_getres);
  return reinterpret_cast<uint64_t>(absent);
}

void write_jump(uint64_t at, uint64_t target) {
  const unsigned char jump[6] = {0xff, 0x25, 0, 0, 0, 0};
  memcpy(reinterpret_cast<void*>(at), jump, sizeof jump);
  memcpy(reinterpret_cast<void*>(at + sizeof jump), &target, sizeof target);
}

template <class F>
void assign(F& function, const VdsoImage& vdso, const char* name) {
  function = reinterpret_cast<F>(vdso.find(name));
}

}  // namespace

MIG_START void learn_vdso() {
  state.first_vdso = state.vdso_start = getauxval(AT_SYSINFO_EHDR);
  state.first_vdso_end = state.vdso_end = page_up(VdsoImage(state.vdso_start).end());
}

void load_vdso_pages() {
  if (state.vdso_start != state.first_vdso) return;
  for (uint64_t at = state.first_vdso; at < state.first_vdso_end; at += page_up(1))
    (void)*reinterpret_cast<const volatile char*>(at);
}

void adopt_vdso(uint64_t base) {
  VdsoImage now(base), first(state.first_vdso);
  state.vdso_start = base;
  state.vdso_end = page_up(now.end());
  assign(kernel_clock_gettime, now, "__vdso_clock_gettime");
  assign(kernel_gettimeofday, now, "__vdso_gettimeofday");
  assign(kernel_time, now, "__vdso_time");
  assign(kernel_getcpu, now, "__vdso_getcpu");
  assign(kernel_clock_getres, now, "__vdso_clock_getres");
  if (!state.first_vdso) return;
  uint64_t size = state.first_vdso_end - state.first_vdso;
  sys(__NR_mprotect, state.first_vdso, size, PROT_READ | PROT_WRITE | PROT_EXEC);
  first.each_function([](const char* name, uint64_t address) { write_jump(address, target_of(name)); });
  sys(__NR_mprotect, state.first_vdso, size, PROT_READ | PROT_EXEC);
}

}  // namespace mig
