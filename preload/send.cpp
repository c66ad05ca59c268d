// Signals to processes and threads by their virtual ids. What a receiver sees of the sender: preload/handlers.cpp.
#include "preload/send.h"

#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr IdCall kOnTarget{{IdKind::kTarget}}, kOnTask{{IdKind::kTask}}, kOnThread{{IdKind::kTask, IdKind::kTask}};

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
long queue_to_process(int32_t pid, int signal, siginfo_t* info) {
  return call_with_ids(kOnTask, __NR_rt_sigqueueinfo, pid, signal, reinterpret_cast<long>(info));
}
long queue_to_thread(int32_t process, int32_t tid, int signal, siginfo_t* info) {
  return call_with_ids(kOnThread, __NR_rt_tgsigqueueinfo, process, tid, signal, reinterpret_cast<long>(info));
}

}  // namespace mig
