// Signals to processes and threads by their virtual ids.
#pragma once
#include <signal.h>
#include <stdint.h>

namespace mig {

/// As kill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2) and pidfd_send_signal(2). Results follow the kernel's convention.
long send_to_process(int32_t pid, int signal);
long send_to_thread(int32_t process, int32_t tid, int signal);
long send_to_own_thread(int32_t tid, int signal);
long queue_to_process(int32_t pid, int signal, const siginfo_t* info);
long queue_to_thread(int32_t process, int32_t tid, int signal, const siginfo_t* info);
long queue_by_pidfd(int pidfd, int signal, const siginfo_t* info, unsigned flags);

}  // namespace mig
