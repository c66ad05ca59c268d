// A restart that is complete but does not run yet (restore/hold.h).
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "image/base/file.h"

namespace mig {

class HeldRestart {
 public:
  /// Runs the stub, in a session of its own and without streams.
  explicit HeldRestart(const std::vector<std::string>& words);
  HeldRestart(const HeldRestart&) = delete;
  HeldRestart& operator=(const HeldRestart&) = delete;
  /// One that does not run ends: no process of it runs before the first one has said so, and none runs when that one is dead.
  ~HeldRestart();

  /// Waits until everything is restored. Throws what the stub says. Returns what it says besides.
  std::string wait_restored();
  /// Lets it go and waits until it runs.
  void let_go();
  pid_t pid() const { return child_; }

 private:
  void wait_for(char wanted, double limit);
  [[noreturn]] void throw_failure();
  ScopedFd socket_;
  pid_t child_ = -1;
  bool told_ = false, runs_ = false;
  std::string said_;
};

}  // namespace mig
