// The job itself looks, as for a checkpoint, and writes one line per finding; what keeps a job from answering is seen from
// outside.
#include "tools/findings.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "image/cpu.h"
#include "image/publish.h"
#include "tools/problem.h"
#include "tools/process.h"
#include "tools/request.h"
#include "tools/temporary.h"

namespace mig {

namespace {

constexpr double kIdleLimit = 60;

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

/// A library that does not know the question answers with an image.
void discard_image(Request& request) {
  std::string partial = text_of(request.fields().partial);
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
  TemporaryDirectory directory("check");
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

}  // namespace

bool any(const Findings& found, const char* verdict) {
  for (const Finding& f : found)
    if (f.verdict == verdict) return true;
  return false;
}

Findings examine_job(const Target& t) {
  Findings found = look_from_outside(t);
  if (!any(found, "blocked")) ask(t.job, found);
  return found;
}

Finding compare_cpu(const Target& t, const std::string& host, const nlohmann::ordered_json& features) {
  std::string level;
  std::istringstream in(slurp(fmt::format("/proc/{}/environ", t.member.pid)));
  for (std::string v; std::getline(in, v, '\0');)
    if (v.compare(0, 8, "MIG_CPU=") == 0) level = v.substr(8);
  CpuSet there;
  for (const auto& name : features)
    if (int i = cpu_feature_index(name.get<std::string>().c_str()); i >= 0) there.add(static_cast<unsigned>(i));
  CpuSet needed = cpu_features() & cpu_level_mask(level.empty() ? nullptr : level.c_str()) & cpu_binding_mask();
  std::string missing;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if ((needed - there).has(i)) missing += std::string(missing.empty() ? "" : " ") + kCpuFeatures[i].name;
  if (missing.empty()) return {"ok", "cpu of " + host, "has every feature that the program may use"};
  return {"blocked", "cpu of " + host, "lacks " + missing + "; start the program with `mig run --cpu x86-64-v2`"};
}

}  // namespace mig
