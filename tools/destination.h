// The other end of a move, as its source sees it.
#pragma once
#include <functional>
#include <string>

#include "tools/image_stream.h"
#include "tools/remote.h"
#include "tools/stopped_job.h"

namespace mig {

/// A connection to the other host's `mig receive`.
class Destination {
 public:
  explicit Destination(const std::string& host);
  FrameChannel& channel() { return channel_; }
  /// The first answer: if there is none, ssh's exit status tells why.
  nlohmann::ordered_json greet(FrameType type, const nlohmann::ordered_json& j, FrameType wanted,
                               const std::function<void()>& tick);
  /// The last word: the job has been let go.
  void dismiss();

 private:
  bool ended() const;
  RemoteMig remote_;
  FrameChannel channel_;
};

/// What became of a job that was handed over: asks until the answer cannot change any more. If it runs there, lets it go here.
/// False: it never ran there. Throws if that cannot be found out.
bool find_outcome(const JobPtr& job, StoppedJob& stopped, const std::string& host, const std::string& token);

}  // namespace mig
