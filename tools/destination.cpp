#include "tools/destination.h"

#include <fmt/format.h>
#include <unistd.h>

#include "tools/clock.h"
#include "tools/problem.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kAnswerLimit = 60;    ///< seconds for one question
constexpr double kOutcomeLimit = 120;  ///< for all of them
constexpr unsigned kPause = 500000;    ///< microseconds between two

/// "runs", "gone" or "pending" (mig receive).
std::string ask_outcome(const JobPtr& job, StoppedJob& stopped, const std::string& host, const std::string& token) {
  Destination destination(host);
  auto limit = [until = monotonic_seconds() + kAnswerLimit, &host] {
    if (monotonic_seconds() > until) throw Problem(Error::kTransport, "host " + host, "it does not answer");
  };
  Json answer = destination.greet(FrameType::kAsk, {{"token", token}, {"job", job->name()}}, FrameType::kOutcome, limit);
  std::string outcome = answer.value("outcome", "pending");
  if (outcome == "runs") {
    stopped.let_go();
    destination.dismiss();
  }
  return outcome;
}

}  // namespace

Destination::Destination(const std::string& host)
    : remote_(host, {"receive"}), channel_(remote_.in(), remote_.out(), "host " + host) {}

bool Destination::ended() const {
  char byte;
  return channel_.readable(1000) && read(channel_.in(), &byte, 1) == 0;
}

Json Destination::greet(FrameType type, const Json& j, FrameType wanted, const std::function<void()>& tick) {
  try {
    channel_.send(type, j);
    return frame_json(channel_.expect(wanted, 0, tick));
  } catch (const Problem& p) {
    if (p.code() == static_cast<unsigned>(Error::kTransport) && !interrupted() && ended()) remote_.throw_ended();
    throw;
  }
}

/// If it gets lost, a file of no bytes stays there.
void Destination::dismiss() {
  try {
    channel_.send(FrameType::kDone);
  } catch (const Problem&) {
  }
}

bool find_outcome(const JobPtr& job, StoppedJob& stopped, const std::string& host, const std::string& token) {
  std::string cause = "It has not decided yet.";
  for (double until = monotonic_seconds() + kOutcomeLimit; monotonic_seconds() < until && !interrupted(); usleep(kPause)) {
    try {
      std::string outcome = ask_outcome(job, stopped, host, token);
      if (outcome != "pending") return outcome == "runs";
    } catch (const Problem& p) {
      cause = p.what();
    }
  }
  std::string name = job->name();
  throw Problem(
      Error::kTransport, "job " + name,
      fmt::format("it was handed over to {}, and whether it runs there is not known: it stays stopped here. {}", host, cause),
      fmt::format("`mig move {} {}` asks again; if it surely does not run there, --take-back lets it go on here.", name, host));
}

}  // namespace mig
