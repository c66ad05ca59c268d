// Wrappers: waiting for children (preload/wrap/child_waits.h).
#include <sys/wait.h>

#include "preload/wrap/child_waits.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

using namespace mig;

MIG_EXPORT pid_t wait4(pid_t pid, int* status, int options, rusage* usage) noexcept {
  return int_with_errno(wait_for_child(pid, status, options, usage));
}
MIG_EXPORT pid_t waitpid(pid_t pid, int* status, int options) {
  return wait4(pid, status, options, nullptr);
}
MIG_EXPORT pid_t __waitpid(pid_t pid, int* status, int options) {
  return waitpid(pid, status, options);
}
MIG_EXPORT pid_t wait3(int* status, int options, rusage* usage) noexcept {
  return wait4(-1, status, options, usage);
}
MIG_EXPORT pid_t wait(int* status) {
  return wait4(-1, status, 0, nullptr);
}
MIG_EXPORT pid_t __wait(int* status) {
  return wait(status);
}
MIG_EXPORT int waitid(idtype_t which, id_t id, siginfo_t* info, int options) {
  return int_with_errno(wait_for_child(static_cast<int>(which), static_cast<int32_t>(id), info, options, nullptr));
}
