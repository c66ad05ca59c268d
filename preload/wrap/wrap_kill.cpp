// Wrappers: sending signals.
//
// abort() and failed assertions raise SIGABRT inside libc, with the thread's own tid word: it holds the real tid
// for these last steps.
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/tid_words.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"
#include "preload/wrap/send.h"

namespace mig {
namespace {

MIG_ORIGINAL(pthread_kill);
MIG_ORIGINAL(pthread_sigqueue);
// Types without `noreturn`, which a compiler may count as part of them.
Hook<void (*)(), "abort"> original_abort;
Hook<void (*)(const char*, const char*, unsigned, const char*), "__assert_fail"> original_assert_fail;
Hook<void (*)(int, const char*, unsigned, const char*), "__assert_perror_fail"> original_assert_perror_fail;

constexpr int kFirstOfLibc = 32, kLastOfLibc = 33;  ///< SIGCANCEL and SIGSETXID

bool is_of_libc(int signal) {
  return signal == kFirstOfLibc || signal == kLastOfLibc;
}

siginfo_t queued_info(int signal, sigval value) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = static_cast<uid_t>(sys(__NR_getuid));
  info.si_value = value;
  return info;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int kill(pid_t pid, int signal) noexcept {
  return int_with_errno(send_to_process(pid, signal));
}
MIG_EXPORT int killpg(pid_t group, int signal) noexcept {
  if (group >= 0) return kill(-group, signal);
  errno = EINVAL;
  return -1;
}
MIG_EXPORT int tgkill(pid_t process, pid_t tid, int signal) {
  return int_with_errno(send_to_thread(process, tid, signal));
}
MIG_EXPORT int raise(int signal) noexcept {
  return int_with_errno(is_of_libc(signal) ? -EINVAL : send_to_thread(getpid(), gettid(), signal));
}
MIG_EXPORT int gsignal(int signal) noexcept {
  return raise(signal);
}
MIG_EXPORT int sigqueue(pid_t pid, int signal, const sigval value) noexcept {
  siginfo_t info = queued_info(signal, value);
  return int_with_errno(queue_to_process(pid, signal, &info));
}
MIG_EXPORT int pthread_kill(pthread_t thread, int signal) noexcept {
  if (is_of_libc(signal)) return EINVAL;
  if (thread == pthread_self()) return as_error(send_to_thread(getpid(), gettid(), signal));
  Mark mark;
  if (!ids_moved()) return original_pthread_kill(thread, signal);
  int32_t tid = virtual_tid_of(thread);
  return tid > 0 ? as_error(send_to_own_thread(tid, signal)) : 0;
}
MIG_EXPORT int pthread_sigqueue(pthread_t thread, int signal, const sigval value) noexcept {
  if (is_of_libc(signal)) return EINVAL;
  if (!tid_word(thread)) return original_pthread_sigqueue(thread, signal, value);
  int32_t tid = virtual_tid_of(thread);
  siginfo_t info = queued_info(signal, value);
  return tid > 0 ? as_error(queue_to_thread(getpid(), tid, signal, &info)) : ESRCH;
}

MIG_EXPORT void abort() noexcept {
  ScopedRealTid real(pthread_self());
  original_abort();
  __builtin_unreachable();
}
MIG_EXPORT void __assert_fail(const char* text, const char* file, unsigned line, const char* function) noexcept {
  ScopedRealTid real(pthread_self());
  original_assert_fail(text, file, line, function);
  __builtin_unreachable();
}
MIG_EXPORT void __assert_perror_fail(int error, const char* file, unsigned line, const char* function) noexcept {
  ScopedRealTid real(pthread_self());
  original_assert_perror_fail(error, file, line, function);
  __builtin_unreachable();
}
