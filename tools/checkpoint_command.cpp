// mig checkpoint: asks the job for an image, makes it durable, puts it under its name, and says where it is.
//
// The program writes the image itself and stands still only for that; syncing and renaming happen here,
// beside the program, so a slow disk does not lengthen its stop. The disk begins while the program still writes.
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "image/publish.h"
#include "tools/clock.h"
#include "tools/commands.h"
#include "tools/duration.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/progress.h"
#include "tools/request.h"

namespace mig {

namespace {

namespace fs = std::filesystem;

constexpr double kIdleLimit = 120;  ///< seconds without any progress

Error publish_error(long r) {
  if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG) return Error::kNoSpace;
  if (r == -EACCES || r == -EPERM || r == -EROFS) return Error::kNotWritable;
  return Error::kWriteFailed;
}

std::string parent_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string publish_image(const std::string& partial, const std::string& image) {
  std::string images = parent_of(image);
  char place[sizeof JobRequest::image];
  text_copy(place, image.c_str(), sizeof place);
  if (long r = publish_as_next(partial.c_str(), place, images.c_str()); failed(r))
    throw Problem(publish_error(r), "image " + image, "it cannot be put in place: " + kernel_reason(r));
  return place;
}

void publish_or_fail(Request& request, uint32_t keep) {
  JobRequest& f = request.fields();
  try {
    std::string image = publish_image(text_of(f.partial), text_of(f.image));
    text_copy(f.image, image.c_str(), sizeof f.image);
  } catch (const Problem& p) {
    remove_tree(text_of(f.partial).c_str());
    request.fail(p);
    throw;
  }
  std::string images = parent_of(text_of(f.image));
  if (long r = prune_images(images.c_str(), keep); failed(r))
    fmt::print(stderr, "mig: warning: {}: old images were not removed: {}\n", images, kernel_reason(r));
  request.set_phase(Phase::kPublished);
}

/// What a job that was killed in the middle left half-written: .N.partial-PID.
void remove_partial_of_dead(const Request& request, const std::string& images) {
  if (!request.job_gone()) return;
  std::string ending = fmt::format(".partial-{}", request.pid());
  std::error_code ec;
  for (const auto& e : fs::directory_iterator(images, ec)) {
    std::string name = e.path().filename().string();
    if (name[0] == '.' && text_ends(name.c_str(), ending.c_str())) remove_tree(e.path().c_str());
  }
}

std::string images_directory(const Arguments& a) {
  if (!a.has("output")) return "";
  fs::path p = fs::absolute(a.text("output")).lexically_normal();
  std::error_code ec;
  fs::create_directories(p, ec);
  if (ec || access(p.c_str(), W_OK | X_OK) != 0)
    throw Problem(Error::kNotWritable, p.string(), ec ? ec.message() : kernel_reason(errno));
  chmod(p.c_str(), 0700);
  std::string s = p.string();
  while (s.size() > 1 && s.back() == '/') s.pop_back();
  return s;
}

void report(const JobRequest& f, double total_ms, bool json) {
  if (!json) {
    fmt::print("{}\n", text_of(f.image));
    return;
  }
  print_json({{"schema_version", 1},
              {"image", text_of(f.image)},
              {"stopped_ms", static_cast<double>(f.stopped) / 1e6},
              {"total_ms", total_ms},
              {"bytes", f.bytes},
              {"processes", f.processes}});
}

void wake_disk(Request& request) {
  if (request.phase() != Phase::kSaving) return;
  ScopedFd partial(open_path(text_of(request.fields().partial).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (partial.ok()) begin_sync(partial.get());
}

void take_image(Request& request, uint32_t flags, const std::string& images, double limit, uint32_t keep) {
  Progress progress;
  request.send(flags, images, "", limit);
  Phase p = request.wait_for(Phase::kWritten, kIdleLimit, [&] {
    progress.show(size_text(request.fields().progress) + " written");
    wake_disk(request);
  });
  if (p == Phase::kWritten) publish_or_fail(request, keep);
  if (!(flags & kRequestKill)) request.set_phase(Phase::kDone);  // the program runs since kWritten
}

int run(const Arguments& a) {
  const double began = monotonic_seconds();
  Target target = find_target(a.text("TARGET"));
  std::string object = "job " + target.job->name();
  double limit = a.has("limit") ? parse_duration("--limit", a.text("limit")) : 0;
  std::string images = images_directory(a);
  std::vector<Member> members = live_members(*target.job);
  for (const Member& m : members) check_answerable(m, object);
  Request request(target.job);
  try {
    take_image(request, a.has("kill") ? kRequestKill : 0, images, limit, (*target.job)->keep);
  } catch (const Problem&) {
    remove_partial_of_dead(request, images.empty() ? text_of((*target.job)->images) : images);
    throw;
  }
  if (a.has("kill")) await_end(target.job, members);
  report(request.fields(), (monotonic_seconds() - began) * 1e3, a.has("json"));
  return 0;
}

}  // namespace

Command checkpoint_command() {
  return {"checkpoint",
          "write an image of a job",
          "Writes an image of the whole job and prints its path once it is complete, on disk and under its "
          "final name. The "
          "program stands still only while its memory is written and then goes on; with --kill it ends. If "
          "anything prevents the image, the program goes on as if nothing had been asked, and the last image "
          "is intact.",
          {{"TARGET", "the job's name, a virtual pid or a real pid"}},
          {{"output", "o", "DIR", "write below DIR instead of the job's image directory"},
           {"kill", nullptr, nullptr, "end the job once the image is complete"},
           {"limit", nullptr, "TIME", "how long the threads may take to stop"},
           {"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig checkpoint sim", "mig checkpoint sim --kill -o /shared/images"},
          run};
}

}  // namespace mig
