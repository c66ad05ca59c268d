// The moment in which the process becomes another program: no handler of ours is there to take a request.
#pragma once
#include <signal.h>
#include <stdint.h>

#include "preload/wrap/exec_target.h"

namespace mig {

/// For the time of an exec call. What it did is undone when the call comes back.
class Executing {
 public:
  Executing(int directory, const char* path, int flags);
  ~Executing();
  Executing(const Executing&) = delete;
  Executing& operator=(const Executing&) = delete;

 private:
  ExecTarget target_;
  bool claimed_ = false;
  uint64_t mask_ = 0;
};

/// A request that arrives meanwhile: noted in the process's entry for whoever comes out of the exec.
void ask_after_exec(const siginfo_t* info);
/// Sends the process a request that was noted.
void ask_again(int32_t value);

}  // namespace mig
