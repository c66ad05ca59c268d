// What system and popen have in common: starting a shell that stays covered, by the number that the program knows it by, and waiting for
// it by that number, whatever restarts come in between.
#pragma once
#include <spawn.h>
#include <stdint.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {

/// Starts `sh -c command`. An error number, or 0.
int start_shell(pid_t* child, const char* command, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes);
/// Its wait status, or -1 and errno.
int wait_for_shell(pid_t child);

/// A thread may be in a wordexp(3) that executes a command, whose shell libc knows by the kernel's number.
bool in_wordexp();
/// In a child: the threads that were in it are the parent's.
void forget_wordexp();

/// A lock that a child of fork may find held by a thread that it does not have.
class ShellLock {
 public:
  bool take() {
    for (int i = 0; i < kTries; ++i) {
      if (!__atomic_exchange_n(&held_, 1, __ATOMIC_ACQUIRE)) return true;
      sys(__NR_sched_yield);
    }
    return false;
  }
  void release() { __atomic_store_n(&held_, 0, __ATOMIC_RELEASE); }

 private:
  static constexpr int kTries = 100000;
  uint32_t held_ = 0;
};

}  // namespace mig
