// mig check: will it move? The job itself looks, as for a checkpoint, and writes one line per finding; what
// keeps a job from answering is seen from outside.
#include <fmt/format.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "image/cpu.h"
#include "image/publish.h"
#include "tools/commands.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/process.h"
#include "tools/remote.h"
#include "tools/request.h"

namespace mig {

namespace {

constexpr double kIdleLimit = 60;

struct Finding {
  std::string verdict, object, reason;
};
using Findings = std::vector<Finding>;

/// A directory for the job's answer, removed at the end.
class AnswerDirectory {
 public:
  AnswerDirectory() : path_(made_run_directory() + "/check-XXXXXX") {
    if (!mkdtemp(path_.data())) throw Problem(Error::kNotWritable, path_, kernel_reason(errno));
  }
  AnswerDirectory(const AnswerDirectory&) = delete;
  AnswerDirectory& operator=(const AnswerDirectory&) = delete;
  ~AnswerDirectory() { remove_tree(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Findings parse_findings(const std::string& text) {
  Findings found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (first == std::string::npos) continue;
    std::string reason = second == std::string::npos ? "" : line.substr(second + 1);
    found.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1), reason});
  }
  return found;
}

/// What can be seen without asking; a job that must not be asked has a blocked finding here.
Findings look_from_outside(const Target& t) {
  Findings found;
  for (const Member& m : live_members(*t.job)) {
    std::string object = fmt::format("process {}", m.vpid);
    try {
      check_answerable(m, object);
    } catch (const Problem& p) {
      found.push_back({"blocked", object, std::string(p.what()).substr(object.size() + 2)});
    }
    for (int tid : thread_ids(m.pid))
      if (auto s = read_thread_stat(m.pid, tid); s && s->state == 'D')
        found.push_back(
            {"degraded", fmt::format("thread {}", tid), "is in an uninterruptible system call now; a checkpoint waits for it"});
  }
  return found;
}

bool any(const Findings& found, const char* verdict) {
  for (const Finding& f : found)
    if (f.verdict == verdict) return true;
  return false;
}

/// A library that does not know the question answers with an image.
void discard_image(Request& request) {
  std::string partial(request.fields().partial, strnlen(request.fields().partial, sizeof request.fields().partial));
  if (partial.find(".partial-") != std::string::npos) remove_tree(partial.c_str());
  request.set_phase(Phase::kDone);
}

/// What every member has found: VPID.check. With several, each line says whose it is.
Findings read_answers(const std::string& directory) {
  std::map<int, Findings> by_vpid;
  for (const auto& e : std::filesystem::directory_iterator(directory))
    by_vpid[atoi(e.path().filename().c_str())] = parse_findings(slurp(e.path().string()));
  Findings all;
  for (auto& [vpid, findings] : by_vpid)
    for (Finding& f : findings) {
      if (by_vpid.size() > 1) f.object = fmt::format("process {}: {}", vpid, f.object);
      all.push_back(std::move(f));
    }
  return all;
}

void ask(const JobPtr& job, Findings& found) {
  AnswerDirectory directory;
  Request request(job);
  try {
    request.send(kRequestCheck, "", directory.path(), 0);
    if (request.wait_for(Phase::kWritten, kIdleLimit) == Phase::kWritten) discard_image(request);
    request.wait_for(Phase::kDone, kIdleLimit);
  } catch (const Problem& p) {
    if (request.phase() != Phase::kFailed) throw;
    Findings told = read_answers(directory.path());
    found.insert(found.end(), told.begin(), told.end());
    if (!any(found, "blocked")) found.push_back({"blocked", "job " + job->name(), p.what()});
    return;
  }
  Findings told = read_answers(directory.path());
  if (told.empty()) told.push_back({"ok", "job " + job->name(), "a checkpoint goes through"});
  found.insert(found.end(), told.begin(), told.end());
}

/// The other host's mig tells what CPU it has; the job's level is in its environment.
void compare_host(const Target& t, const std::string& host, Findings& found) {
  nlohmann::ordered_json doctor = remote_doctor(host);
  std::string level;
  std::istringstream in(slurp(fmt::format("/proc/{}/environ", t.member.pid)));
  for (std::string v; std::getline(in, v, '\0');)
    if (v.compare(0, 8, "MIG_CPU=") == 0) level = v.substr(8);
  CpuSet there;
  for (const auto& name : doctor["cpu"]["features"])
    if (int i = cpu_feature_index(name.get<std::string>().c_str()); i >= 0) there.add(static_cast<unsigned>(i));
  CpuSet needed = cpu_features() & cpu_level_mask(level.empty() ? nullptr : level.c_str()) & cpu_binding_mask();
  std::string missing;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if ((needed - there).has(i)) missing += std::string(missing.empty() ? "" : " ") + kCpuFeatures[i].name;
  if (missing.empty()) found.push_back({"ok", "cpu of " + host, "has every feature that the program may use"});
  else found.push_back({"blocked", "cpu of " + host, "lacks " + missing + "; start the program with `mig run --cpu x86-64-v2`"});
}

void print_findings(const Findings& found) {
  Table table({"VERDICT", "OBJECT", "REASON"});
  for (const Finding& f : found) table.add({f.verdict, f.object, f.reason});
  table.print();
}

nlohmann::ordered_json findings_json(const Target& t, const Findings& found) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& f : found) list.push_back({{"verdict", f.verdict}, {"object", f.object}, {"reason", f.reason}});
  return {{"schema_version", 1}, {"job", t.job->name()}, {"blocked", any(found, "blocked")}, {"findings", list}};
}

int run(const Arguments& a) {
  Target t = find_target(a.text("TARGET"));
  Findings found = look_from_outside(t);
  if (!any(found, "blocked")) ask(t.job, found);
  if (a.has("to")) compare_host(t, a.text("to"), found);
  if (a.has("json")) print_json(findings_json(t, found));
  else print_findings(found);
  return any(found, "blocked") ? kExitRefused : kExitDone;
}

}  // namespace

Command check_command() {
  return {"check",
          "say whether a job can be checkpointed",
          "Looks at each descriptor, mapping, thread and child of the job and says what a checkpoint would "
          "make of it: ok, "
          "carried (its contents travel in the image), degraded (it comes back, but not as it was) or "
          "blocked (a checkpoint "
          "is refused), with the reason. Nothing is written. Exit status 3 if anything is blocked.",
          {{"TARGET", "the job's name, a virtual pid or a real pid"}},
          {{"to", nullptr, "HOST", "also ask mig on HOST (through ssh) whether its CPU will do"},
           {"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig check sim"},
          run};
}

}  // namespace mig
