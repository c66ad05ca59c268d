// mig receive: the other end of mig move (docs/move.md). What comes in stays in memory; the job is restored, held, and let go
// when the source says so.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cpu.h"
#include "image/layout.h"
#include "tools/arrival.h"
#include "tools/commands.h"
#include "tools/config.h"
#include "tools/held_restart.h"
#include "tools/image_store.h"
#include "tools/image_stream.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/process.h"
#include "tools/restart.h"
#include "tools/temporary.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kWordLimit = 60;  ///< seconds for the source to say the next word

uint64_t available_memory() {
  std::string text = slurp("/proc/meminfo");
  size_t at = text.find("MemAvailable:");
  return at == std::string::npos ? ~uint64_t{0} : strtoull(text.c_str() + at + 13, nullptr, 10) << 10;
}

Json cpu_names() {
  CpuSet set = cpu_features();
  Json names = Json::array();
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (set.has(i)) names.push_back(kCpuFeatures[i].name);
  return names;
}

void check_paths(const Json& paths) {
  for (const Json& p : paths)
    if (std::string path = p.get<std::string>(); access(path.c_str(), F_OK) != 0)
      throw Problem(Error::kFileMissing, path, kernel_reason(errno), "The program has it open; bring it to that host.");
}

/// The image and what is restored from it are in memory at the same time.
void check_memory(uint64_t needed) {
  uint64_t available = available_memory();
  if (2 * needed > available)
    throw Problem(Error::kNoMemory, "memory",
                  fmt::format("{} are available, a job of {} needs twice as much", size_text(available), size_text(needed)));
}

void check_name(const std::string& job) {
  if (job.empty() || find_job_named(job)) throw Problem(Error::kStillRunning, "job " + job, "a job of that name runs here");
}

void check_hello(const Json& hello) {
  if (hello.value("protocol", 0) != kMoveProtocol || hello.value("format", 0) != static_cast<int>(kFormatVersion))
    throw Problem(Error::kVersion, "mig", fmt::format("version {} came, here is {}", hello.value("version", "?"), MIG_VERSION),
                  "Install the same version on both hosts.");
  check_name(hello.value("job", ""));
  check_paths(hello.value("paths", Json::array()));
  check_memory(hello.value("memory", uint64_t{0}));
}

/// One job's arrival, from the greeting to the source's last word.
class Arrival {
 public:
  Arrival(FrameChannel& channel, const Json& hello)
      : channel_(channel), hello_(hello), claim_(hello.value("job", "")), token_(new_token()) {
    check_hello(hello_);
  }

  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  ~Arrival() { find_job_named(job()); }  // removes what a restart that failed has left

  void run() {
    greet();
    take_files();
    restart();
  }

 private:
  std::string job() const { return hello_.value("job", ""); }

  void greet() {
    channel_.send(FrameType::kHello, {{"protocol", kMoveProtocol},
                                      {"version", MIG_VERSION},
                                      {"format", kFormatVersion},
                                      {"token", token_},
                                      {"cpu", cpu_names()}});
  }

  void take_files() {
    for (;;) {
      Frame f = channel_.receive();
      if (f.type == FrameType::kRestore) return;
      store_.take(f);
    }
  }

  std::vector<std::string> words(const std::string& image) {
    Manifest m = read_manifest(image);
    check_image(image, m);
    check_name(job());
    std::vector<std::string> w = stub_words({}, image, m, job());
    w.insert(w.begin() + 1, {"--arrival", arrival_path(token_)});
    return w;
  }

  void restart() {
    TemporaryDirectory directory("receive");
    store_.link_into(directory.path());
    HeldRestart restart(words(directory.path()));
    channel_.send(FrameType::kRestored, {{"notes", restart.wait_restored()}});
    channel_.expect(FrameType::kGo, kWordLimit);
    let_go(restart);
    conclude(restart);
  }

  void let_go(HeldRestart& restart) {
    try {
      restart.let_go();
    } catch (const Problem&) {
      unlink(arrival_path(token_).c_str());
      throw;
    }
  }

  /// Without a last word the file stays for the source to ask.
  void conclude(const HeldRestart& restart) {
    channel_.send(FrameType::kRunning, {{"pid", restart.pid()}});
    channel_.expect(FrameType::kDone, kWordLimit);
    unlink(arrival_path(token_).c_str());
  }

  FrameChannel& channel_;
  const Json& hello_;
  ArrivalClaim claim_;
  std::string token_;
  ImageStore store_;
};

const char* outcome_word(Outcome o) {
  return o == Outcome::kRuns ? "runs" : o == Outcome::kGone ? "gone" : "pending";
}

void answer(FrameChannel& channel, const Json& question) {
  std::string token = question.value("token", "");
  Outcome o = arrival_outcome(token, question.value("job", ""));
  channel.send(FrameType::kOutcome, {{"outcome", outcome_word(o)}});
  if (o != Outcome::kRuns) return;
  channel.expect(FrameType::kDone, kWordLimit);
  unlink(arrival_path(token).c_str());
}

void serve(FrameChannel& channel) {
  Frame f = channel.receive();
  const Json j = frame_json(f);
  if (f.type == FrameType::kAsk) return answer(channel, j);
  if (f.type != FrameType::kHello) throw Problem(Error::kVersion, "mig", "the other side does not greet");
  Arrival(channel, j).run();
}

int run(const Arguments&) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  FrameChannel channel(0, 1, "the source");
  try {
    serve(channel);
    return kExitDone;
  } catch (const Problem& p) {
    try {
      channel.send(FrameType::kFailed, {{"code", p.code()}, {"message", p.what()}});
    } catch (const Problem&) {
    }
    return p.exit_code();
  }
}

}  // namespace

Command receive_command() {
  return {"receive",
          "the other end of mig move",
          "Started by `mig move` on the host that a job moves to, through ssh. It speaks with it over its "
          "standard input and output, keeps what comes in memory, restores the job, and lets it go when the "
          "source has let it go. It is not meant to be started by hand.",
          {},
          {},
          nullptr,
          {"ssh hostb mig receive"},
          run};
}

}  // namespace mig
