// What a held restart says to whoever holds it, over one socket: the sentences of a failure, or kHeld; then kLetGo comes
// back, and the restarted program's library says kRuns.
#pragma once

namespace mig {

constexpr char kRuns = 1;  ///< a restart that is not held says it too, over --ready-fd
constexpr char kHeld = 2;
constexpr char kLetGo = 3;

}  // namespace mig
