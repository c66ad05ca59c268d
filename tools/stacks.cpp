// libunwind asks for registers, memory and unwind tables through call-backs, and never knows that the process
// is a file. The tables are those of .eh_frame_hdr in the carried text, so neither the program nor its
// libraries need to be on this host.
#include "tools/stacks.h"

#include <libunwind.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include "tools/symbols.h"

extern "C" int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t* info,
                                                  unw_proc_info_t* result, int need_unwind_info, void* argument);

namespace mig {

namespace {

constexpr size_t kMaxFrames = 256;

/// What the call-backs of one thread need.
struct Context {
  const CoreFile& core;
  Symbols& symbols;
  user_regs_struct registers;
};

Context& context(void* argument) {
  return *static_cast<Context*>(argument);
}

/// The fixed beginning of .eh_frame_hdr as every linker writes it.
struct UnwindHeader {
  uint8_t version, pointer_encoding, count_encoding, table_encoding;
  int32_t eh_frame;
  uint32_t count;
};
constexpr uint8_t kCountUdata4 = 0x03, kTableSorted = 0x3b;

int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* result, int need, void* argument) {
  Context& c = context(argument);
  Module* m = c.symbols.module_at(ip);
  UnwindHeader h;
  if (!m || !m->unwind || !c.core.read(m->unwind, &h, sizeof h)) return -UNW_ENOINFO;
  if (h.version != 1 || h.count_encoding != kCountUdata4 || h.table_encoding != kTableSorted) return -UNW_ENOINFO;
  unw_dyn_info_t info = {};
  info.start_ip = m->start, info.end_ip = m->end;
  info.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  info.u.rti.segbase = m->unwind;
  info.u.rti.table_data = m->unwind + sizeof h;
  info.u.rti.table_len = uint64_t{h.count} * 8 / sizeof(unw_word_t);
  return UNW_OBJ(dwarf_search_unwind_table)(space, ip, &info, result, need, argument);
}

void put_unwind_info(unw_addr_space_t, unw_proc_info_t*, void*) {}

int no_dynamic_info(unw_addr_space_t, unw_word_t*, void*) {
  return -UNW_ENOINFO;
}

int access_memory(unw_addr_space_t, unw_word_t address, unw_word_t* value, int write, void* argument) {
  return !write && context(argument).core.read(address, value, sizeof *value) ? 0 : -UNW_EINVAL;
}

int access_register(unw_addr_space_t, unw_regnum_t number, unw_word_t* value, int write, void* argument) {
  const user_regs_struct& r = context(argument).registers;
  if (write) return -UNW_EREADONLYREG;
  switch (number) {
    case UNW_X86_64_RAX: *value = r.rax; return 0;
    case UNW_X86_64_RDX: *value = r.rdx; return 0;
    case UNW_X86_64_RCX: *value = r.rcx; return 0;
    case UNW_X86_64_RBX: *value = r.rbx; return 0;
    case UNW_X86_64_RSI: *value = r.rsi; return 0;
    case UNW_X86_64_RDI: *value = r.rdi; return 0;
    case UNW_X86_64_RBP: *value = r.rbp; return 0;
    case UNW_X86_64_RSP: *value = r.rsp; return 0;
    case UNW_X86_64_R8: *value = r.r8; return 0;
    case UNW_X86_64_R9: *value = r.r9; return 0;
    case UNW_X86_64_R10: *value = r.r10; return 0;
    case UNW_X86_64_R11: *value = r.r11; return 0;
    case UNW_X86_64_R12: *value = r.r12; return 0;
    case UNW_X86_64_R13: *value = r.r13; return 0;
    case UNW_X86_64_R14: *value = r.r14; return 0;
    case UNW_X86_64_R15: *value = r.r15; return 0;
    case UNW_X86_64_RIP: *value = r.rip; return 0;
    default: return -UNW_EBADREG;
  }
}

int no_float_register(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) {
  return -UNW_EBADREG;
}

int no_resume(unw_addr_space_t, unw_cursor_t*, void*) {
  return -UNW_EINVAL;
}

int no_name(unw_addr_space_t, unw_word_t, char*, size_t, unw_word_t*, void*) {
  return -UNW_ENOINFO;
}

Stack unwind_one(unw_addr_space_t space, Context& c, int vtid) {
  Stack stack{vtid, {}};
  unw_cursor_t cursor;
  if (unw_init_remote(&cursor, space, &c) != 0) return stack;
  uint64_t last_sp = 0;
  do {
    unw_word_t ip = 0, sp = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &ip);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
    if (!ip || (sp == last_sp && !stack.frames.empty() && stack.frames.back().address == ip)) break;
    last_sp = sp;
    bool called = !stack.frames.empty() && unw_is_signal_frame(&cursor) <= 0;
    Module* m = c.symbols.module_at(ip);
    stack.frames.push_back({ip, c.symbols.name_at(called ? ip - 1 : ip), m ? m->path : ""});
  } while (stack.frames.size() < kMaxFrames && unw_step(&cursor) > 0);
  return stack;
}

}  // namespace

std::vector<Stack> unwind_stacks(const CoreFile& core) {
  unw_accessors_t accessors = {};
  accessors.find_proc_info = find_proc_info;
  accessors.put_unwind_info = put_unwind_info;
  accessors.get_dyn_info_list_addr = no_dynamic_info;
  accessors.access_mem = access_memory;
  accessors.access_reg = access_register;
  accessors.access_fpreg = no_float_register;
  accessors.resume = no_resume;
  accessors.get_proc_name = no_name;
  unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
  Symbols symbols(core);
  std::vector<Stack> stacks;
  for (const Note* note : core.status_notes()) {
    prstatus_t status = {};
    if (!space || note->data.size() < sizeof status) continue;
    memcpy(&status, note->data.data(), sizeof status);
    Context c{core, symbols, {}};
    static_assert(sizeof c.registers == sizeof status.pr_reg);
    memcpy(&c.registers, &status.pr_reg, sizeof c.registers);
    stacks.push_back(unwind_one(space, c, status.pr_pid));
  }
  if (space) unw_destroy_addr_space(space);
  return stacks;
}

}  // namespace mig
