// Wrappers that hide the library's own signal: the program may set, block, wait for and read it as it likes, and gets the
// answers that it expects, but the kernel never hears of that.
//
// What a program set is remembered: the action once, the mask's bit per thread. SIGRTMAX is one less for programs
// that ask libc for it, so well-behaved ones never meet the signal at all.
//
// A program's sa_mask loses our bit as well: while a handler runs, a checkpoint can still be requested.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>

#include "preload/ids.h"
#include "preload/save/signals.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/stop/stop.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/hidden_signal.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"
#include "preload/wrap/signalfd_reads.h"

namespace mig {

uint64_t hidden_bit = 0, kept_bits = 3UL << 31;

namespace {

struct sigaction hidden_action;
thread_local bool hidden_blocked __attribute__((tls_model("initial-exec"))) = false;

MIG_ORIGINAL(sigaction);
MIG_ORIGINAL(signal);
MIG_ORIGINAL(sigsuspend);
MIG_ORIGINAL(sigwait);
MIG_ORIGINAL(signalfd);
MIG_ORIGINAL(posix_spawnattr_setsigmask);
Hook<int (*)(pthread_attr_t*, const sigset_t*), "pthread_attr_setsigmask_np"> original_setsigmask;
Hook<__sighandler_t (*)(int, __sighandler_t), "__sysv_signal"> original_sysv_signal;
Hook<__sighandler_t (*)(int, __sighandler_t), "sigset"> original_sigset;
Hook<int (*)(int, int), "siginterrupt"> original_siginterrupt;
Hook<int (*)(int), "sigignore"> original_sigignore;
Hook<int (*)(int), "sighold"> original_sighold;
Hook<int (*)(int), "sigrelse"> original_sigrelse;
Hook<int (*)(), "__libc_current_sigrtmax"> original_sigrtmax;

bool is_hidden(int signal) {
  return __builtin_expect(signal == state.signal && signal > 0, false);
}

__sighandler_t set_hidden_handler(__sighandler_t handler, int flags) {
  struct sigaction now {
  }, before{};
  now.sa_handler = handler;
  now.sa_flags = flags;
  change_hidden_action(&now, &before);
  return before.sa_handler;
}

uint64_t bit_of(int signal) {
  return signal > 0 && signal <= 64 ? 1UL << (signal - 1) : 0;
}

/// It blocks nothing of ours.
bool is_plain(const struct sigaction& action) {
  return !(mask_word(&action.sa_mask) & hidden_bit);
}

__attribute__((noinline)) int change_action(int signal, const struct sigaction* action, struct sigaction* old) {
  struct sigaction copy;
  InfoHandler own = own_handler(signal);
  if (action) {
    copy = *action;
    mask_word(&copy.sa_mask) &= ~hidden_bit;
    if ((copy.sa_flags & SA_ONSTACK) && small_alternate_stacks()) mask_word(&copy.sa_mask) |= own_signals();
    if (ids_moved() || small_alternate_stacks())
      put_in_front(signal, copy.sa_sigaction, static_cast<unsigned long>(copy.sa_flags));
    action = &copy;
  }
  int r = original_sigaction(signal, action, old);
  if (r == 0 && old) {
    take_from_front(old->sa_sigaction, own);
    if (small_alternate_stacks()) mask_word(&old->sa_mask) &= ~own_signals();
  }
  return r;
}

/// What signal(3) and its kin tell of an earlier handler.
__sighandler_t shown(int signal, __sighandler_t handler) {
  auto known = reinterpret_cast<InfoHandler>(reinterpret_cast<void*>(handler));
  take_from_front(known, own_handler(signal));
  return reinterpret_cast<__sighandler_t>(reinterpret_cast<void*>(known));
}

}  // namespace

MIG_START void hide_signal(int signal) {
  hidden_bit = bit_of(signal);
  kept_bits |= hidden_bit;
  uint64_t open = hidden_bit | uint64_t{1} << (kStopSignal - 1);  // an exec may have left both blocked
  sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &open, nullptr, 8);
}

long change_mask(int how, const uint64_t* set, uint64_t* old) {
  bool was_blocked = hidden_blocked;
  uint64_t copy;
  const uint64_t* visible = set;
  if (set && (*set & kept_bits) && how != SIG_UNBLOCK) {
    copy = *set & ~kept_bits;
    visible = &copy;
  }
  uint64_t wanted = set ? *set & hidden_bit : 0;  // `old` may be the same memory
  long r = sys(__NR_rt_sigprocmask, how, visible, old, 8);
  if (failed(r)) return r;
  if (set && (how == SIG_SETMASK || wanted)) hidden_blocked = how != SIG_UNBLOCK && wanted;
  if (old && was_blocked) *old |= hidden_bit;
  return r;
}

long change_hidden_action(const struct sigaction* action, struct sigaction* old) {
  struct sigaction before = hidden_action;
  if (action) hidden_action = *action;
  if (old) *old = before;
  return 0;
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
  if (is_hidden(signal)) return int_with_errno(change_hidden_action(action, old));
  if (!ids_moved() && !small_alternate_stacks() && (!action || is_plain(*action))) return original_sigaction(signal, action, old);
  return change_action(signal, action, old);
}
MIG_EXPORT int __sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
  return sigaction(signal, action, old);
}

MIG_EXPORT __sighandler_t signal(int signal, __sighandler_t handler) noexcept {
  return is_hidden(signal) ? set_hidden_handler(handler, SA_RESTART) : shown(signal, original_signal(signal, handler));
}
MIG_EXPORT __sighandler_t bsd_signal(int number, __sighandler_t handler) noexcept {
  return signal(number, handler);
}
MIG_EXPORT __sighandler_t ssignal(int number, __sighandler_t handler) noexcept {
  return signal(number, handler);
}
MIG_EXPORT __sighandler_t __sysv_signal(int signal, __sighandler_t handler) noexcept {
  return is_hidden(signal) ? set_hidden_handler(handler, SA_RESETHAND | SA_NODEFER)
                           : shown(signal, original_sysv_signal(signal, handler));
}
MIG_EXPORT __sighandler_t sysv_signal(int signal, __sighandler_t handler) noexcept {
  return __sysv_signal(signal, handler);
}
MIG_EXPORT __sighandler_t sigset(int signal, __sighandler_t handler) noexcept {
  return is_hidden(signal) ? set_hidden_handler(handler, 0) : shown(signal, original_sigset(signal, handler));
}
MIG_EXPORT int sigignore(int signal) noexcept {
  if (!is_hidden(signal)) return original_sigignore(signal);
  set_hidden_handler(SIG_IGN, 0);
  return 0;
}
MIG_EXPORT int siginterrupt(int signal, int on) noexcept {
  if (!is_hidden(signal)) return original_siginterrupt(signal, on);
  hidden_action.sa_flags = on ? hidden_action.sa_flags & ~SA_RESTART : hidden_action.sa_flags | SA_RESTART;
  return 0;
}

MIG_EXPORT int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return int_with_errno(change_mask(how, reinterpret_cast<const uint64_t*>(set), reinterpret_cast<uint64_t*>(old)));
}
MIG_EXPORT int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return as_error(change_mask(how, reinterpret_cast<const uint64_t*>(set), reinterpret_cast<uint64_t*>(old)));
}
MIG_EXPORT int sighold(int signal) noexcept {
  uint64_t bit = bit_of(signal);
  return bit ? int_with_errno(change_mask(SIG_BLOCK, &bit, nullptr)) : original_sighold(signal);
}
MIG_EXPORT int sigrelse(int signal) noexcept {
  uint64_t bit = bit_of(signal);
  return bit ? int_with_errno(change_mask(SIG_UNBLOCK, &bit, nullptr)) : original_sigrelse(signal);
}

MIG_EXPORT int sigblock(int mask) noexcept {
  uint64_t set = static_cast<unsigned>(mask), old = 0;
  change_mask(SIG_BLOCK, &set, &old);
  return static_cast<int>(old);
}
MIG_EXPORT int sigsetmask(int mask) noexcept {
  uint64_t set = static_cast<unsigned>(mask), old = 0;
  change_mask(SIG_SETMASK, &set, &old);
  return static_cast<int>(old);
}

MIG_EXPORT int sigsuspend(const sigset_t* mask) {
  return original_sigsuspend(VisibleMask(mask).get());
}
MIG_EXPORT int sigwait(const sigset_t* set, int* signal) {
  return original_sigwait(VisibleMask(set).get(), signal);
}
MIG_EXPORT int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  return sigtimedwait(set, info, nullptr);
}
MIG_EXPORT int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  note_signalfd();
  return original_signalfd(fd, VisibleMask(mask).get(), flags);
}

/// What a child starts with. Blocked, the signal would stay blocked across its exec.
MIG_EXPORT int posix_spawnattr_setsigmask(posix_spawnattr_t* attributes, const sigset_t* mask) noexcept {
  return original_posix_spawnattr_setsigmask(attributes, VisibleMask(mask).get());
}
MIG_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t* attributes, const sigset_t* mask) {
  return original_setsigmask.get() ? original_setsigmask(attributes, VisibleMask(mask).get()) : ENOSYS;
}

MIG_EXPORT int __libc_current_sigrtmax() noexcept {
  int highest = original_sigrtmax();
  return highest == state.signal ? highest - 1 : highest;
}
