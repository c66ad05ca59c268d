// Signals to processes and threads by their virtual ids. What a receiver sees of the sender: preload/wrap/handlers.cpp.
#include "preload/wrap/send.h"

#include <errno.h>

#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr IdCall kOnTarget{{IdKind::kTarget}}, kOnThread{{IdKind::kTask, IdKind::kTask}};

/// The sender in `info` is a number too. `tid`: 0 where the whole process is meant.
MIG_UNSPLIT long queue(int32_t process, int32_t tid, int signal, const siginfo_t* given) {
  if (!ids.moved || !given) {
    if (tid) return sys(__NR_rt_tgsigqueueinfo, process, tid, signal, given);
    return sys(__NR_rt_sigqueueinfo, process, signal, given);
  }
  siginfo_t info = *given;
  info.si_pid = real_task(info.si_pid);
  if (tid) return sys(__NR_rt_tgsigqueueinfo, real_task(process), real_task(tid), signal, &info);
  return sys(__NR_rt_sigqueueinfo, real_task(process), signal, &info);
}

}  // namespace

long send_to_process(int32_t pid, int signal) {
  return call_with_ids(kOnTarget, __NR_kill, pid, signal);
}
long send_to_thread(int32_t process, int32_t tid, int signal) {
  return call_with_ids(kOnThread, __NR_tgkill, process, tid, signal);
}
long send_to_own_thread(int32_t tid, int signal) {
  return send_to_thread(state.vpid, tid, signal);
}
long queue_to_process(int32_t pid, int signal, const siginfo_t* info) {
  return queue(pid, 0, signal, info);
}
long queue_to_thread(int32_t process, int32_t tid, int signal, const siginfo_t* info) {
  return tid ? queue(process, tid, signal, info) : -EINVAL;
}
MIG_UNSPLIT long queue_by_pidfd(int pidfd, int signal, const siginfo_t* given, unsigned flags) {
  siginfo_t info;
  if (given && ids.moved) {
    info = *given;
    info.si_pid = real_task(info.si_pid);
    given = &info;
  }
  return sys(__NR_pidfd_send_signal, pidfd, signal, given, flags);
}

}  // namespace mig
