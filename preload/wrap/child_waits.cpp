// Waiting for children. A wait may last through any number of restarts, and each gives the children other real numbers: so
// every wait of the program enters the kernel here, at one place, even before the first restart.
//
// What comes before the `syscall` instruction and what comes behind it is not split by a checkpoint (preload/unsplit.h): the
// number handed to the kernel is true when the call begins, and what it tells is translated by the table of its own
// time. A thread can be stopped only in the call: on the instruction, or behind it with EINTR. After a restart it goes on with
// the number that its target has by then, which rbx leads to.
//
// A handler of the program that interrupts a wait may itself block through a restart. The kernel goes back into the wait with the
// registers in that handler's signal frame; so a thread notes its waits, and their numbers are renewed in those frames
// too. They lie below the stack pointer that the wait had, or at the top of the alternate stack, and are known by their program
// counter, rbx, and the call's number.
// Whether a child that had ended before a restart left a core file is remembered here: the zombie in its place leaves none.
// What sigtimedwait and a signalfd tell names processes too, and is taken at the same place.
//
// A wait is a cancellation point: cancellation is asynchronous for its length, as in glibc before 2.41.
#include "preload/wrap/child_waits.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "image/base/arena.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/stop/alternate_stack.h"
#include "preload/wrap/hook.h"

extern "C" {
extern const char mig_wait_call[] __attribute__((visibility("hidden")));
extern const char mig_wait_called[] __attribute__((visibility("hidden")));
}

namespace mig {
namespace {

MIG_ORIGINAL(pthread_setcanceltype);

constexpr uint64_t kWaitMagic = 0x4d49472d77616974;
constexpr uint64_t kFrameReach = 32 << 10;  ///< a signal frame with all of the CPU's state is smaller

/// The arguments as the program gave them; rbx points here during the call.
struct ChildWait {
  long number;
  long args[5];
  int target;  ///< index of the number among them
  IdKind kind;
  siginfo_t* info;                                         ///< of waitid
  int32_t child;                                           ///< of whom something was told, as the program knows it; 0: nobody
  int32_t real;                                            ///< and as the kernel does
  void (*translate)(void* buffer, long result) = nullptr;  ///< where signals are taken
  uint64_t magic = kWaitMagic;
  const ChildWait* self = this;  ///< with the magic number: this wait was not left by longjmp
  ChildWait* outer = nullptr;
};
thread_local ChildWait* waits __attribute__((tls_model("initial-exec"))) = nullptr;

class ScopedWait {
 public:
  explicit ScopedWait(ChildWait& w) : wait_(w) {
    w.outer = waits;
    __atomic_store_n(&waits, &w, __ATOMIC_RELEASE);
  }
  ~ScopedWait() {
    waits = wait_.outer;
    wait_.magic = 0;
  }
  ScopedWait(const ScopedWait&) = delete;
  ScopedWait& operator=(const ScopedWait&) = delete;

 private:
  ChildWait& wait_;
};

class ScopedCancellation {
 public:
  ScopedCancellation() { set(PTHREAD_CANCEL_ASYNCHRONOUS, &before_); }
  ~ScopedCancellation() { set(before_, nullptr); }
  ScopedCancellation(const ScopedCancellation&) = delete;
  ScopedCancellation& operator=(const ScopedCancellation&) = delete;

 private:
  static void set(int type, int* before) {
    if (original_pthread_setcanceltype.get()) original_pthread_setcanceltype(type, before);
  }
  int before_ = PTHREAD_CANCEL_DEFERRED;
};

/// `a` and `b` with the kernel's number; a restart may change them meanwhile.
MIG_INLINE long enter_kernel(const ChildWait* w, long a, long b) {
  long c = w->args[2], result;
  register long r10 asm("r10") = w->args[3];
  register long r8 asm("r8") = w->args[4];
  asm volatile(
      ".globl mig_wait_call, mig_wait_called\n"
      ".hidden mig_wait_call, mig_wait_called\n"
      "mig_wait_call: syscall\n"
      "mig_wait_called:"
      : "=a"(result), "+D"(a), "+S"(b)
      : "a"(w->number), "d"(c), "r"(r10), "r"(r8), "b"(w)
      : "rcx", "r11", "memory");
  return result;
}

/// Children that had ended and left a core file before the last checkpoint, by their virtual numbers; 0: none.
constexpr uint32_t kMaxDumped = 256;
int32_t dumped[kMaxDumped];
uint32_t dumped_count;

MIG_INLINE int32_t* find_dumped(int32_t number) {
  for (uint32_t i = 0, n = __atomic_load_n(&dumped_count, __ATOMIC_RELAXED); i < n; ++i)
    if (__atomic_load_n(&dumped[i], __ATOMIC_RELAXED) == number) return &dumped[i];
  return nullptr;
}

MIG_UNSPLIT long wait_in_kernel(ChildWait* w) {
  long real = to_real(w->kind, w->args[w->target]);
  long result = enter_kernel(w, w->target == 0 ? real : w->args[0], w->target == 1 ? real : w->args[1]);
  if (failed(result)) return result;
  if (w->translate) {
    Mark not_split;
    w->translate(reinterpret_cast<void*>(w->args[1]), result);
    return result;
  }
  w->real = w->info ? w->info->si_pid : static_cast<int32_t>(result);
  w->child = virtual_task(w->real);
  bool left_core = w->child && find_dumped(w->child);
  if (!w->info) {
    auto status = reinterpret_cast<int*>(w->args[1]);
    if (left_core && WIFSIGNALED(*status)) *status |= WCOREFLAG;
    return w->child;
  }
  w->info->si_pid = w->child;
  if (left_core && w->info->si_code == CLD_KILLED) w->info->si_code = CLD_DUMPED;
  return result;
}

long wait_in_kernel(ChildWait& w) {
  ScopedWait noted(w);
  ScopedCancellation cancellation;
  return wait_in_kernel(&w);
}

bool is_end(int status) {
  return WIFEXITED(status) || WIFSIGNALED(status);
}
bool is_end(const siginfo_t& info) {
  return info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
}

void forget_ended(int32_t number, int32_t real) {
  if (int32_t* at = find_dumped(number)) __atomic_store_n(at, 0, __ATOMIC_RELAXED);
  forget_child(number, real);
}

uint64_t place(const char* label) {
  return reinterpret_cast<uint64_t>(label);
}

bool waits_again(const ucontext_t& c) {
  const auto& r = c.uc_mcontext.gregs;
  auto w = reinterpret_cast<const ChildWait*>(r[REG_RBX]);
  if (static_cast<uint64_t>(r[REG_RIP]) != place(mig_wait_call)) return false;
  for (const ChildWait* known = waits; known && known->magic == kWaitMagic && known->self == known; known = known->outer)
    if (known == w) return r[REG_RAX] == w->number;
  return false;
}

/// Looks at every place below `top` where the registers of a signal frame may be.
void renew_in_frames(uint64_t bottom, uint64_t top) {
  constexpr size_t kRegisters = offsetof(ucontext_t, uc_mcontext.fpregs);
  for (uint64_t at = (bottom + 7) & ~7UL; at + kRegisters <= top; at += 8)
    if (auto c = reinterpret_cast<ucontext_t*>(at); waits_again(*c)) {
      Frame frame(c);
      renew_child_wait(frame);
    }
}

/// Where memory begins that lies without a gap below `top`.
uint64_t reachable_below(uint64_t top) {
  uint64_t bottom = page_down(top);
  for (char byte; top - bottom < kFrameReach; bottom -= page_up(1)) {
    iovec here{&byte, 1}, there{reinterpret_cast<void*>(bottom - page_up(1)), 1};
    if (sys(__NR_process_vm_readv, sys(__NR_getpid), &here, 1, &there, 1, 0) != 1) break;
  }
  return bottom;
}

void renew_below(uint64_t top) {
  renew_in_frames(reachable_below(top), top);
}

}  // namespace

long wait_for_child(int32_t target, int* status, int options, rusage* usage) {
  int own = 0;
  if (!status) status = &own;
  ChildWait w{__NR_wait4, {target, sys_word(status), options, sys_word(usage)}, 0, IdKind::kTarget, nullptr, 0, 0, nullptr};
  long result = wait_in_kernel(w);
  if (w.child && is_end(*status)) forget_ended(w.child, w.real);
  return result;
}

long wait_for_child(int which, int32_t id, siginfo_t* info, int options, rusage* usage) {
  siginfo_t own{};
  if (!info) info = &own;
  IdKind kind = which == P_PID ? IdKind::kTask : which == P_PGID ? IdKind::kGroup : IdKind::kNone;
  ChildWait w{__NR_waitid, {which, id, sys_word(info), options, sys_word(usage)}, 1, kind, info, 0, 0, nullptr};
  long result = wait_in_kernel(w);
  if (w.child && is_end(*info) && !(options & WNOWAIT)) forget_ended(w.child, w.real);
  return result;
}

long take_signals(long number, long a, void* buffer, long c, long d, void (*translate)(void* buffer, long result)) {
  ChildWait w{number, {a, sys_word(buffer), c, d}, 0, IdKind::kNone, nullptr, 0, 0, translate};
  return wait_in_kernel(w);
}

bool has_dumped(int32_t number, bool note) {
  if (find_dumped(number)) return true;
  if (!note) return false;
  int32_t* at = find_dumped(0);
  if (!at && dumped_count < kMaxDumped) at = &dumped[dumped_count++];
  if (at) *at = number;
  return true;
}

bool is_in_child_wait(const Frame& frame) {
  return frame.pc() == place(mig_wait_call) || (frame.pc() == place(mig_wait_called) && frame.result() == -EINTR);
}

void renew_child_wait(Frame& frame) {
  auto w = reinterpret_cast<const ChildWait*>(frame.kept());
  frame.set_argument(w->target, static_cast<uint64_t>(to_real(w->kind, w->args[w->target])));
}

void renew_interrupted_waits(const ucontext_t& now) {
  const ChildWait* w = waits;
  if (!w) return;
  const stack_t& alternate = program_stack(now.uc_stack);
  if (alternate.ss_size) renew_below(reinterpret_cast<uint64_t>(alternate.ss_sp) + alternate.ss_size);
  for (; w && w->magic == kWaitMagic && w->self == w; w = w->outer) renew_below(reinterpret_cast<uint64_t>(w));
}

}  // namespace mig
