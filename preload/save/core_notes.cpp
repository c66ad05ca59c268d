// The notes of an ELF core by which debuggers know a process (fs/binfmt_elf.c in the kernel writes the same): for
// each thread its registers where the program was interrupted, and its extended state as it stands in the signal frame.
#include "preload/save/core_notes.h"

#include <string.h>
#include <sys/procfs.h>

#include "image/base/text.h"
#include "preload/save/process.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr uint32_t kNoteXstate = 0x202, kNoteFile = 0x46494c45;
constexpr uint32_t kXstateMagic = 0x46505853;
constexpr size_t kLegacySize = 512, kSoftwareOffset = 464, kLargestState = 65536;

struct GeneralRegisters {  // user_regs_struct
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
  uint64_t fs_base, gs_base, ds, es, fs, gs;
};

GeneralRegisters registers_of(const ThreadSlot& slot) {
  const greg_t* g = slot.frame->uc_mcontext.gregs;
  auto u = [&](int i) { return static_cast<uint64_t>(g[i]); };
  GeneralRegisters r{u(REG_R15), u(REG_R14), u(REG_R13), u(REG_R12), u(REG_RBP), u(REG_RBX), u(REG_R11), u(REG_R10),
                     u(REG_R9),  u(REG_R8),  u(REG_RAX), u(REG_RCX), u(REG_RDX), u(REG_RSI), u(REG_RDI)};
  r.orig_rax = ~0UL;
  r.rip = u(REG_RIP), r.eflags = u(REG_EFL), r.rsp = u(REG_RSP);
  r.cs = u(REG_CSGSFS) & 0xffff, r.ss = u(REG_CSGSFS) >> 48;
  r.fs_base = slot.record.fs_base, r.gs_base = slot.record.gs_base;
  return r;
}

/// struct _fpx_sw_bytes (asm/sigcontext.h): what the kernel notes in a signal frame's extended state.
struct SoftwareBytes {
  uint32_t magic, extended_size;
  uint64_t features;
  uint32_t size, padding[7];
};
static_assert(sizeof(SoftwareBytes) == kLegacySize - kSoftwareOffset);

/// In a core, the place of the software bytes holds XCR0; gdb refuses the whole file otherwise.
bool add_extended_state(ImageWriter& writer, const ThreadSlot& slot) {
  auto area = reinterpret_cast<const char*>(slot.frame->uc_mcontext.fpregs);
  if (!area) return true;
  SoftwareBytes software;
  memcpy(&software, area + kSoftwareOffset, sizeof software);
  if (!writer.note("CORE", NT_FPREGSET, area, kLegacySize)) return false;
  if (software.magic != kXstateMagic || software.size < kLegacySize || software.size > kLargestState) return true;
  auto copy = static_cast<char*>(scratch(software.size));
  if (!copy) return false;
  memcpy(copy, area, software.size);
  memset(copy + kSoftwareOffset, 0, sizeof software);
  memcpy(copy + kSoftwareOffset, &software.features, sizeof software.features);
  return writer.note("LINUX", kNoteXstate, copy, software.size);
}

bool add_thread(ImageWriter& writer, const ThreadSlot& slot) {
  elf_prstatus status{};
  status.pr_pid = slot.record.vtid;
  status.pr_ppid = process_vppid();
  status.pr_fpvalid = 1;
  GeneralRegisters r = registers_of(slot);
  static_assert(sizeof r == sizeof status.pr_reg);
  memcpy(&status.pr_reg, &r, sizeof r);
  return writer.note("CORE", NT_PRSTATUS, &status, sizeof status) && add_extended_state(writer, slot);
}

bool add_process(ImageWriter& writer) {
  elf_prpsinfo info{};
  info.pr_sname = 'R';
  info.pr_pid = process_vpid(), info.pr_ppid = process_vppid();
  text_copy(info.pr_fname, slot_at(0)->record.name, sizeof info.pr_fname);
  char command[4096];
  long n = read_text("/proc/thread-self/cmdline", command, sizeof command);
  for (long i = 0; i + 1 < n; ++i)
    if (!command[i]) command[i] = ' ';
  text_copy(info.pr_psargs, command, sizeof info.pr_psargs);
  return writer.note("CORE", NT_PRPSINFO, &info, sizeof info);
}

/// NT_FILE: count, page size, {start, end, offset in pages} each, then the names.
bool add_files(ImageWriter& writer, const Mappings& mappings) {
  size_t count = 0, names = 0;
  for (const Mapping& m : mappings)
    if (m.path[0] == '/') ++count, names += strlen(m.path) + 1;
  size_t head = (2 + 3 * count) * 8;
  auto note = static_cast<char*>(scratch(head + names));
  if (!note) return false;
  auto word = reinterpret_cast<uint64_t*>(note);
  *word++ = count;
  *word++ = kPage;
  char* name = note + head;
  for (const Mapping& m : mappings) {
    if (m.path[0] != '/') continue;
    *word++ = m.record.start, *word++ = m.record.end, *word++ = m.record.offset / kPage;
    size_t n = strlen(m.path) + 1;
    memcpy(name, m.path, n);
    name += n;
  }
  return writer.note("CORE", kNoteFile, note, head + names);
}

}  // namespace

bool add_core_notes(ImageWriter& writer, const Mappings& mappings) {
  if (!add_process(writer) || !add_files(writer, mappings)) return false;
  for (uint32_t i = 0; i < state.claimed; ++i)
    if (!slot_at(i)->dead && !add_thread(writer, *slot_at(i))) return false;
  return true;
}

}  // namespace mig
