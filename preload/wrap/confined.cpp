// Wrapper: prctl, and what a process under a seccomp filter of its own does not do: it takes no request, and ends without leaving its
// job's table (`mig` tidies up, as after a signal). Its entry tells the others, who refuse the checkpoint instead of signalling it.
// A filter that was there before the program started is seen in the checkpoint itself (preload/save/process.cpp).
#include "preload/wrap/confined.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include "image/base/futex.h"
#include "preload/ids.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

bool confined;

/// A child of vfork has its parent's memory: what it does to itself is not the parent's.
void enter_confinement(bool on) {
  if (!is_own_process()) return;
  confined = on;
  if (!state.job || state.member < 0) return;
  uint32_t* flags = &state.job->members[state.member].flags;
  if (on) __atomic_fetch_or(flags, kMemberConfined, __ATOMIC_ACQ_REL);
  else __atomic_fetch_and(flags, ~kMemberConfined, __ATOMIC_ACQ_REL);
}

}  // namespace

MIG_START bool is_confined() {
  return confined;
}

MIG_START void adopt_confinement(const Member& m) {
  confined = load(&m.flags) & kMemberConfined;
}

long confine(long number, long a, long b, long c, long d, long e) {
  bool was = confined;
  enter_confinement(true);
  long r = sys(number, a, b, c, d, e);
  if (r < 0 && !was) enter_confinement(false);
  return r;
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int prctl(int option, ...) {
  va_list list;
  va_start(list, option);
  long b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long), e = va_arg(list, long);
  va_end(list);
  if (option == PR_SET_SECCOMP) return static_cast<int>(with_errno(confine(__NR_prctl, option, b, c, d, e)));
  return static_cast<int>(with_errno(sys(__NR_prctl, option, b, c, d, e)));
}
