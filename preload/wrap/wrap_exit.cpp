// Wrappers: the ways to end at once, without the library's destructor. The process leaves its job's table, so that nothing
// is left behind where it is cheap to tidy up; what ends by a signal, `mig` tidies up.
#include <stdlib.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/job/job.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/tid_words.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/hook.h"

namespace mig {
namespace {

Hook<void (*)(int), "quick_exit"> original_quick_exit;  // without `noreturn`, which a compiler may count as part of the type

void leave_at_once() {
  if (!state.active || is_confined() || !is_own_process()) return;
  give_up_shared_mutexes();
  leave_job_at_end();
}

[[noreturn]] MIG_START void end_now(int status) {
  leave_at_once();
  for (;;) sys(__NR_exit_group, status);
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT MIG_START void _exit(int status) {
  end_now(status);
}
MIG_EXPORT void _Exit(int status) noexcept {
  end_now(status);
}
MIG_EXPORT void quick_exit(int status) noexcept {
  leave_at_once();
  original_quick_exit(status);
  __builtin_unreachable();
}
