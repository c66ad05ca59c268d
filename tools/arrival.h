// Whether a job that comes in from another host has been let go here: so that a source that lost the connection can ask.
//
// The stub makes a small file RUN/.arrived-TOKEN at the moment when the program goes on. It stays until the source has heard of it. While
// a `mig receive` for the job lives, or the job does, the answer may still change.
#pragma once
#include <string>

#include "image/base/file.h"

namespace mig {

/// Held by the `mig receive` of a job as long as it lives; there is one at a time.
class ArrivalClaim {
 public:
  /// Throws kBusy.
  explicit ArrivalClaim(const std::string& job);

 private:
  ScopedFd socket_;
};

/// A name for this arrival: unique, also across reboots of this host.
std::string new_token();
/// The file that tells. Throws on what cannot be a token.
std::string arrival_path(const std::string& token);

enum class Outcome { kGone, kRuns, kPending };
/// kGone: it never ran here and never will. kRuns: it was let go here (and may have ended since).
Outcome arrival_outcome(const std::string& token, const std::string& job);

}  // namespace mig
