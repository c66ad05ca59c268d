// Signals to processes and threads by their virtual ids.
#pragma once
#include <signal.h>
#include <stdint.h>

namespace mig {

/// As kill(2) and tgkill(2). Results follow the kernel's convention. To oneself, the receiver's si_pid is the virtual pid.
long send_to_process(int32_t pid, int signal);
long send_to_thread(int32_t process, int32_t tid, int signal);
/// The kernel's own tgkill within this process: si_pid is the real pid, which libc's cancellation compares.
long send_plain_to_thread(int32_t tid, int signal);
/// As rt_sigqueueinfo(2) and rt_tgsigqueueinfo(2); a si_pid that is this process's virtual pid stays.
long queue_to_process(int32_t pid, int signal, siginfo_t* info);
long queue_to_thread(int32_t process, int32_t tid, int signal, siginfo_t* info);

}  // namespace mig
