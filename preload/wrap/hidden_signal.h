// The library's own signal (MIG_SIGNAL), kept out of the program's sight.
#pragma once
#include <signal.h>
#include <stdint.h>

namespace mig {

/// The signal's bit in a mask; 0 before the library is active. With it the two signals that libc keeps for itself.
extern uint64_t hidden_bit, kept_bits;

void hide_signal(int signal);

inline uint64_t& mask_word(sigset_t* set) {
  return reinterpret_cast<uint64_t*>(set)[0];
}
inline uint64_t mask_word(const sigset_t* set) {
  return reinterpret_cast<const uint64_t*>(set)[0];
}

/// A mask as the kernel may see it: without our bit. A null mask stays null.
class VisibleMask {
 public:
  explicit VisibleMask(const sigset_t* mask) : given_(mask) {
    if (!mask || !(mask_word(mask) & hidden_bit)) return;
    copy_ = *mask;
    mask_word(&copy_) &= ~hidden_bit;
    given_ = &copy_;
  }
  VisibleMask(const VisibleMask&) = delete;
  VisibleMask& operator=(const VisibleMask&) = delete;
  const sigset_t* get() const { return given_; }

 private:
  const sigset_t* given_;
  sigset_t copy_;
};

/// The calling thread's mask as the program asked for, our signal included: rt_sigprocmask(2). The kernel's convention.
long change_mask(int how, const uint64_t* set, uint64_t* old);

/// The action that the program set for our signal; ours stays installed. The kernel's convention.
long change_hidden_action(const struct sigaction* action, struct sigaction* old);

}  // namespace mig
