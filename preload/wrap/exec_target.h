// What will become of a program that is executed: whether the loader will load the library into it.
#pragma once

namespace mig {

enum class ExecTarget {
  kNone,       ///< there is no such program, or it is not looked at: the call will tell
  kCovered,    ///< as far as can be seen
  kUncovered,  ///< static, of another machine, or more privileged than its user
};

/// Follows #! lines. Blocks nowhere and changes nothing.
ExecTarget exec_target(int directory, const char* path, int flags);

}  // namespace mig
