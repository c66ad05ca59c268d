// Interrupted system calls: making a stopped thread's call go on as if nothing had happened.
//
// A signal handler ends every blocking call. With SA_RESTART the kernel itself repeats those that it calls
// restartable; the others return -EINTR, which the program would see. Here the frame is rewound: the number goes
// back into rax and rip to the `syscall` instruction, so that rt_sigreturn enters the call again.
#include "preload/calls.h"

#include <errno.h>

namespace mig {
namespace {

constexpr uint64_t kSyscallSize = 2;

bool behind_syscall_instruction(uint64_t pc) {
  auto code = reinterpret_cast<const unsigned char*>(pc - kSyscallSize);
  return code[0] == 0x0f && code[1] == 0x05;
}

}  // namespace

void continue_call(ThreadSlot* slot) {
  greg_t* regs = slot->frame->uc_mcontext.gregs;
  auto pc = static_cast<uint64_t>(regs[REG_RIP]);
  if (regs[REG_RAX] != -EINTR || slot->blocked.number < 0 || pc != slot->blocked.program_counter) return;
  if (!behind_syscall_instruction(pc)) return;
  regs[REG_RAX] = slot->blocked.number;
  regs[REG_RIP] -= kSyscallSize;
}

}  // namespace mig
