// Signals to processes and threads by their virtual ids.
//
// A handler sees who sent a signal in si_pid. The kernel writes the real pid there, but lets a process queue to itself
// any siginfo it likes; so after a restart kill() to oneself is a rt_sigqueueinfo with the code of kill (SI_USER)
// and the virtual pid. What cannot be queued (the limit of RLIMIT_SIGPENDING) goes the ordinary way. Found by trying: the
// kernel compares the target with the calling *thread*, so it lets the main thread do this to the process, and every
// thread to itself (raise), but not one thread to another (EPERM): there si_pid is the real pid.
#include "preload/send.h"

#include <errno.h>

#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

siginfo_t info_from_self(int signal, int code) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = code;
  info.si_pid = state.vpid;
  info.si_uid = static_cast<uid_t>(sys(__NR_getuid));
  return info;
}

MIG_UNSPLIT long kill_with(int32_t pid, int signal, const siginfo_t* info) {
  long real = to_real(IdKind::kTarget, pid);
  if (real == ids.real_pid) {
    long r = sys(__NR_rt_sigqueueinfo, real, signal, info);
    if (r != -EAGAIN && r != -EPERM) return r;
  }
  return sys(__NR_kill, real, signal);
}

MIG_UNSPLIT long tgkill_with(int32_t process, int32_t tid, int signal, const siginfo_t* info) {
  int32_t real = real_task(process), thread = real_task(tid);
  if (real == ids.real_pid) {
    long r = sys(__NR_rt_tgsigqueueinfo, real, thread, signal, info);
    if (r != -EAGAIN && r != -EPERM) return r;
  }
  return sys(__NR_tgkill, real, thread, signal);
}

constexpr IdCall kOne{{IdKind::kTask}}, kTwo{{IdKind::kTask, IdKind::kTask}};

}  // namespace

long send_to_process(int32_t pid, int signal) {
  if (!ids_moved()) return sys(__NR_kill, pid, signal);
  if (signal <= 0) return call_with_ids({{IdKind::kTarget}}, __NR_kill, pid, signal);
  siginfo_t info = info_from_self(signal, SI_USER);
  return kill_with(pid, signal, &info);
}

long send_to_thread(int32_t process, int32_t tid, int signal) {
  if (!ids_moved() || signal <= 0) return call_with_ids(kTwo, __NR_tgkill, process, tid, signal);
  siginfo_t info = info_from_self(signal, SI_TKILL);
  return tgkill_with(process, tid, signal, &info);
}

MIG_UNSPLIT long send_plain_to_thread(int32_t tid, int signal) {
  return sys(__NR_tgkill, ids.real_pid, real_task(tid), signal);
}

long queue_to_process(int32_t pid, int signal, siginfo_t* info) {
  return call_with_ids(kOne, __NR_rt_sigqueueinfo, pid, signal, reinterpret_cast<long>(info));
}
long queue_to_thread(int32_t process, int32_t tid, int signal, siginfo_t* info) {
  return call_with_ids(kTwo, __NR_rt_tgsigqueueinfo, process, tid, signal, reinterpret_cast<long>(info));
}

}  // namespace mig
