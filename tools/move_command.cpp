// mig move: to another host (docs/move.md). The job stands still from the moment when it is asked until the other side reports that it
// runs there, and goes on here if anything fails before it was handed over.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "image/base/text.h"
#include "image/layout.h"
#include "tools/clock.h"
#include "tools/commands.h"
#include "tools/config.h"
#include "tools/destination.h"
#include "tools/duration.h"
#include "tools/findings.h"
#include "tools/image_sender.h"
#include "tools/image_stream.h"
#include "tools/needs.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/progress.h"
#include "tools/request.h"
#include "tools/stopped_job.h"
#include "tools/temporary.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kIdleLimit = 120;     ///< seconds without any progress of the job
constexpr double kRestoreLimit = 600;  ///< for the other side to restore it
constexpr double kRunLimit = 90;       ///< and to let it go
constexpr int kPause = 5;              ///< milliseconds without bytes

struct Moved {
  int pid = 0;  ///< there
  uint64_t bytes = 0;
  uint32_t processes = 0;
};

void throw_interrupted(const std::string& job) {
  if (interrupted()) throw Problem(Error::kRequesterTimeout, "job " + job, "interrupted", "The job goes on here.");
}

Json greeting(const Target& t) {
  return {{"protocol", kMoveProtocol}, {"version", MIG_VERSION},          {"format", kFormatVersion},
          {"job", t.job->name()},      {"memory", memory_needed(*t.job)}, {"paths", paths_needed(*t.job)}};
}

/// Says what speaks against the move. False: nothing does.
bool blocked(const Findings& found) {
  for (const Finding& f : found)
    if (f.verdict == "blocked") fmt::print(stderr, "mig: {}: {}\n", f.object, f.reason);
  return any(found, "blocked");
}

class Move {
 public:
  Move(const Target& t, const std::string& host, double limit) : target_(t), host_(host), limit_(limit) {}

  int run(bool json) {
    const double began = monotonic_seconds();
    if (blocked(examine_job(target_))) return kExitRefused;
    Destination destination(host_);
    const Json there = destination.greet(FrameType::kHello, greeting(target_), FrameType::kHello, [&] { check(); });
    if (there.value("protocol", 0) != kMoveProtocol || there.value("format", 0) != static_cast<int>(kFormatVersion))
      throw Problem(Error::kVersion, "host " + host_,
                    fmt::format("mig {} is there, here is {}", there.value("version", "?"), MIG_VERSION),
                    "Install the same version on both hosts.");
    if (blocked({compare_cpu(target_, host_, there.value("cpu", Json::array()))})) return kExitRefused;
    report(transfer(destination, there.value("token", "")), monotonic_seconds() - began, json);
    return kExitDone;
  }

  /// For a job that an earlier move has handed over.
  static int find_out(const Target& t, Request& request, const std::string& host, bool here);

 private:
  void check() const { throw_interrupted(target_.job->name()); }

  Moved transfer(Destination& destination, const std::string& token) {
    try {
      return stop_and_send(destination, token);
    } catch (const Problem& p) {
      bool here = !(*target_.job)->request.handed_over && !live_members(*target_.job).empty();
      if (!here) throw;
      throw Problem::said(p.code(), fmt::format("job {} goes on here, the move failed: {}", target_.job->name(), p.what()));
    }
  }

  Moved stop_and_send(Destination& destination, const std::string& token) {
    Request request(target_.job);
    TemporaryDirectory directory("move");
    StoppedJob stopped(request, target_.job);
    send_image(request, directory.path(), destination.channel());
    Moved moved;
    moved.bytes = sent_, moved.processes = request.fields().processes;
    std::string notes = wait_restored(destination.channel());
    stopped.hand_over(host_, token);
    hand_over(stopped, destination, token, moved);
    stopped_ = monotonic_seconds() - stopped_at_;
    progress_.clear();
    if (!notes.empty()) fmt::print(stderr, "{}", notes);
    return moved;
  }

  void send_image(Request& request, const std::string& directory, FrameChannel& channel) {
    ImageSender sender(directory, channel);
    expected_ = memory_needed(*target_.job);
    stopped_at_ = monotonic_seconds();
    request.send(kRequestKill | kRequestStream, directory, "", limit_);
    auto forward = [&] {
      sender.pump(kPause);
      if (channel.readable(0)) channel.receive();
      check();
      show(sender.bytes());
    };
    request.wait_for(Phase::kWritten, kIdleLimit, forward, 0);
    sender.finish();
    sent_ = sender.bytes();
  }

  std::string wait_restored(FrameChannel& channel) {
    channel.send(FrameType::kRestore);
    Frame f = channel.expect(FrameType::kRestored, kRestoreLimit, [&] {
      check();
      progress_.show(fmt::format("{}: {} sent, restoring on {}", target_.job->name(), size_text(sent_), host_));
    });
    return frame_json(f).value("notes", "");
  }

  void hand_over(StoppedJob& stopped, Destination& destination, const std::string& token, Moved& moved) {
    FrameChannel& channel = destination.channel();
    try {
      channel.send(FrameType::kGo);
      moved.pid = frame_json(channel.expect(FrameType::kRunning, kRunLimit)).value("pid", 0);
    } catch (const Problem& p) {
      return settle(stopped, p, token);
    }
    stopped.let_go();
    destination.dismiss();
  }

  /// The answer is lost, or it is that the job did not start: asks on connections of their own.
  void settle(StoppedJob& stopped, const Problem& why, const std::string& token);

  void show(uint64_t bytes) {
    double seconds = monotonic_seconds() - stopped_at_;
    progress_.show(fmt::format("{} to {}: {} of about {}, {}/s", target_.job->name(), host_, size_text(bytes),
                               size_text(std::max(bytes, expected_)),
                               size_text(static_cast<uint64_t>(static_cast<double>(bytes) / seconds))));
  }

  void report(const Moved& m, double total, bool json) const {
    if (!json) {
      fmt::print("{} runs on {}\n", target_.job->name(), host_);
      return;
    }
    print_json({{"schema_version", 1},
                {"job", target_.job->name()},
                {"host", host_},
                {"pid", m.pid},
                {"stopped_ms", stopped_ * 1e3},
                {"total_ms", total * 1e3},
                {"bytes", m.bytes},
                {"processes", m.processes}});
  }

  const Target& target_;
  std::string host_;
  double limit_, stopped_at_ = 0, stopped_ = 0;
  uint64_t expected_ = 0, sent_ = 0;
  Progress progress_;
};

void Move::settle(StoppedJob& stopped, const Problem& why, const std::string& token) {
  progress_.clear();
  fmt::print(stderr, "mig: {}\nmig: asking {} whether the job runs there\n", why.what(), host_);
  if (find_outcome(target_.job, stopped, host_, token)) return;
  stopped.take_back();
  throw why;
}

int Move::find_out(const Target& t, Request& request, const std::string& host, bool here) {
  StoppedJob stopped(request, t.job);
  if (!here && find_outcome(t.job, stopped, host, text_of(request.fields().token))) {
    fmt::print("{} runs on {}\n", t.job->name(), host);
    return kExitDone;
  }
  stopped.take_back();
  fmt::print(stderr, "mig: the earlier move did not arrive: {} goes on here\n", t.job->name());
  return here ? kExitDone : kExitTransport;
}

int run(const Arguments& a) {
  signal(SIGPIPE, SIG_IGN);
  Target t = find_target(a.text("TARGET"));
  std::string host = a.text("HOST");
  for (const Member& m : live_members(*t.job)) check_answerable(m, "job " + t.job->name());
  {
    Request request(t.job);
    if (request.handed_over()) return Move::find_out(t, request, host, a.has("take-back"));
  }
  if (a.has("take-back"))
    throw Problem(Error::kBadArgument, "--take-back", "the outcome of no move of " + t.job->name() + " is unknown");
  return Move(t, host, a.has("limit") ? parse_duration("--limit", a.text("limit")) : 0).run(a.has("json"));
}

}  // namespace

Command move_command() {
  return {"move",
          "move a job to another host",
          "Asks mig on HOST, through ssh, whether the job can run there, stops the job, sends its image, and has it "
          "restored there; no file is written in between. The job here ends when the other side "
          "reports that every process runs there. If anything fails before that, it goes on here as if nothing had been "
          "asked. If the connection breaks at the very moment of handing over, mig asks HOST what became of the job; while "
          "that is not known, the job stays stopped here, and another `mig move` to the same host asks again.",
          {{"TARGET", "the job's name, a virtual pid or a real pid"}, {"HOST", "[USER@]HOST, as ssh knows it"}},
          {{"limit", nullptr, "TIME", "how long the threads may take to stop"},
           {"take-back", nullptr, nullptr,
            "after a move of unknown outcome: let the job go on here; only if it surely does not run there"},
           {"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig move sim hostb", "mig move --json sim alice@hostb"},
          run};
}

}  // namespace mig
