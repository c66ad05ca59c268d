// The signal frame of a stopped thread: what rt_sigreturn will load.
#pragma once
#include <stdint.h>
#include <ucontext.h>

namespace mig {

constexpr uint64_t kSyscallSize = 2;  ///< of the instruction: 0f 05
constexpr int kArgumentRegisters[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

class Frame {
 public:
  explicit Frame(ucontext_t* context) : context_(context) {}
  uint64_t pc() const { return get(REG_RIP); }
  void set_pc(uint64_t pc) { set(REG_RIP, pc); }
  uint64_t stack_pointer() const { return get(REG_RSP); }
  /// Result of the system call that ended, or the number of the one about to begin.
  int64_t result() const { return context_->uc_mcontext.gregs[REG_RAX]; }
  void set_result(int64_t value) { context_->uc_mcontext.gregs[REG_RAX] = value; }
  uint64_t argument(int i) const { return get(kArgumentRegisters[i]); }
  void set_argument(int i, uint64_t value) { set(kArgumentRegisters[i], value); }
  /// A register that the kernel and every function preserve.
  uint64_t kept() const { return get(REG_RBX); }
  void set_kept(uint64_t value) { set(REG_RBX, value); }
  uint64_t mask() const { return *reinterpret_cast<const uint64_t*>(&context_->uc_sigmask); }

 private:
  uint64_t get(int r) const { return static_cast<uint64_t>(context_->uc_mcontext.gregs[r]); }
  void set(int r, uint64_t value) { context_->uc_mcontext.gregs[r] = static_cast<greg_t>(value); }
  ucontext_t* context_;
};

}  // namespace mig
