// A system call that every thread of the process makes for itself: user and group ids belong to threads in Linux and to the
// process in POSIX.
//
// libc does this with a signal to each thread, by the number in the thread's descriptor. After a restart that is
// virtual, no thread has it, and libc would take every thread for one that has ended: they would silently keep
// their old ids. So all threads are stopped as for a checkpoint, and each makes the call as it goes on. A thread in which it
// fails although it did not in the first one ends the process, as in libc: half a change of privilege is none.
#include "preload/wrap/errand.h"

#include <errno.h>
#include <sched.h>

#include "preload/ids.h"
#include "preload/state.h"
#include "preload/stop/stop.h"

namespace mig {
namespace {

constexpr uint64_t kErrandMagic = 0x657272616e644d49;

struct Errand {
  long number;  ///< 0: none
  long arguments[3];
  long result;
  bool done;
};
Errand errand;
uint32_t busy;

long call(const Errand& e) {
  return sys(e.number, e.arguments[0], e.arguments[1], e.arguments[2]);
}

void ask_self() {
  siginfo_t info{};
  info.si_signo = state.signal;
  info.si_code = SI_QUEUE;
  info.si_value.sival_ptr = reinterpret_cast<void*>(kErrandMagic);
  sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), sys(__NR_gettid), state.signal, &info);
}

/// unshare(2): it does nothing, and only for a process of one thread. Works without /proc, as after chroot.
bool is_only_thread() {
  return sys(__NR_unshare, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD) == 0;
}

}  // namespace

bool is_errand(const siginfo_t* info) {
  return info->si_code == SI_QUEUE && reinterpret_cast<uint64_t>(info->si_value.sival_ptr) == kErrandMagic;
}

void lead_errand() {
  state.failure = {};
  if (stop_threads()) {
    errand.result = call(errand);
    errand.done = true;
    if (failed(errand.result)) errand.number = 0;
  } else if (state.failure.error == Error::kPendingLost) {  // its threads cannot be found
    errand.result = -EAGAIN;
    errand.done = true;
  }
  release_threads();
  errand.number = 0;
}

void run_errand() {
  if (errand.number && failed(call(errand)))
    for (;;) sys(__NR_kill, sys(__NR_getpid), SIGKILL);
}

long in_every_thread(long number, long a, long b, long c) {
  if (is_only_thread()) return sys(number, a, b, c);
  while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) sys(__NR_sched_yield);
  long result;
  do {  // a checkpoint may be under way, or a thread may not stop in time
    errand = {number, {a, b, c}, 0, false};
    ask_self();
    result = errand.result;
  } while (!errand.done);
  __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
  return result;
}

}  // namespace mig
