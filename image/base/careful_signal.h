// Sending the request signal to a thread of another process, which ends any process that does not expect it.
//
// A number may be another process's by now, even within the same tick of its start time. So the thread is held by a
// descriptor first, and looked at then: whoever neither handles nor blocks the signal is no member of a job.
#pragma once
#include <errno.h>
#include <signal.h>

#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

/// The thread handles or blocks the signal.
inline bool takes_signal(int32_t pid, int32_t tid, int signal) {
  char path[64];
  Text(path) << "/proc/" << pid << "/task/" << tid << "/status";
  LineReader<512> lines(path);
  uint64_t sets = 0;
  while (const char* line = lines.next())
    if (text_starts(line, "SigBlk:") || text_starts(line, "SigCgt:")) sets |= Scan(line + 7).hex();
  return sets >> (signal - 1) & 1;
}

/// A thread to be signalled: the signal does not go to whoever gets its number later.
class HeldThread {
 public:
  HeldThread(int32_t pid, int32_t tid) : pid_(pid), tid_(tid), fd_(sys(__NR_pidfd_open, tid, kThread)) {}
  /// Looked at once it is held. Only numbers are left where the kernel has no descriptors of threads (before Linux 6.9).
  long send(int signal, const siginfo_t& info) const {
    if (!takes_signal(pid_, tid_, signal)) return -ESRCH;
    if (!fd_.ok()) return sys(__NR_rt_tgsigqueueinfo, pid_, tid_, signal, &info);
    return sys(__NR_pidfd_send_signal, fd_.get(), signal, &info, 0);
  }

 private:
  static constexpr int kThread = O_EXCL;  ///< PIDFD_THREAD
  int32_t pid_, tid_;
  ScopedFd fd_;
};

}  // namespace mig
