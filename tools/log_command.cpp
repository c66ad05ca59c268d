// mig log: the environment log, what the program did to its environment, one line per entry. For an image it
// comes from the image's records; for a live job from /proc, which is what a checkpoint would reconcile with.
#include <fmt/format.h>

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "tools/commands.h"
#include "tools/describe.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json image_log(const std::string& image) {
  Manifest m = read_manifest(image);
  Json processes = Json::array();
  for (const ManifestProcess& p : m.processes) {
    Json j = describe_core(CoreFile(image + "/" + p.core, p.bytes));
    j.erase("mappings");
    processes.push_back(std::move(j));
  }
  return {{"schema_version", 1}, {"job", m.job}, {"generation", m.generation}, {"processes", processes}};
}

std::string link_of(const std::string& path) {
  std::error_code ec;
  return fs::read_symlink(path, ec).string();
}

Json live_descriptors(int pid) {
  Json list = Json::array();
  std::string folder = fmt::format("/proc/{}/fd", pid);
  std::error_code ec;
  std::vector<int> fds;
  for (const auto& e : fs::directory_iterator(folder, ec)) fds.push_back(atoi(e.path().filename().c_str()));
  std::sort(fds.begin(), fds.end());
  for (int fd : fds) {
    Json j = {{"fd", fd}, {"path", link_of(fmt::format("{}/{}", folder, fd))}};
    std::istringstream in(slurp(fmt::format("/proc/{}/fdinfo/{}", pid, fd)));
    for (std::string line; std::getline(in, line);) {
      size_t colon = line.find(':');
      std::string key = line.substr(0, colon);
      if (key == "pos" || key == "flags") j[key] = line.substr(line.find_first_not_of(" \t", colon + 1));
    }
    list.push_back(j);
  }
  return list;
}

Json live_process(const Member& m) {
  return {{"process", {{"vpid", m.vpid}, {"vppid", m.vppid}, {"vpgid", m.vpgid}, {"vsid", m.vsid}, {"pid", m.pid}}},
          {"texts",
           {{{"role", "executable"}, {"text", link_of(fmt::format("/proc/{}/exe", m.pid))}},
            {{"role", "working-directory"}, {"text", link_of(fmt::format("/proc/{}/cwd", m.pid))}}}},
          {"signals",
           {{"blocked", status_field(m.pid, "SigBlk")},
            {"ignored", status_field(m.pid, "SigIgn")},
            {"caught", status_field(m.pid, "SigCgt")},
            {"pending", status_field(m.pid, "ShdPnd")}}},
          {"descriptors", live_descriptors(m.pid)}};
}

Json live_log(const Target& t) {
  Json processes = Json::array();
  for (const Member& m : live_members(*t.job)) processes.push_back(live_process(m));
  return {{"schema_version", 1}, {"job", t.job->name()}, {"generation", (*t.job)->generation}, {"processes", processes}};
}

std::string plain(const Json& v) {
  return v.is_string() ? v.get<std::string>() : v.dump();
}

/// "descriptor fd=3 description=2"
void print_entry(std::string what, const Json& entry) {
  if (what != "process" && what.back() == 's') what.pop_back();
  std::string line = what;
  for (const auto& [key, value] : entry.items())
    if (!(value.is_string() && value.get<std::string>().empty())) line += fmt::format(" {}={}", key, plain(value));
  fmt::print("{}\n", line);
}

void print_log(const Json& log) {
  fmt::print("job {} generation {}\n", plain(log["job"]), plain(log["generation"]));
  for (const Json& process : log["processes"])
    for (const auto& [key, value] : process.items()) {
      if (value.is_array())
        for (const Json& entry : value) print_entry(key, entry);
      else if (!value.empty()) print_entry(key, value);
    }
}

int run(const Arguments& a) {
  std::string target = a.text("TARGET");
  Json log;
  try {
    log = live_log(find_target(target));
  } catch (const Problem& p) {
    if (p.code() != static_cast<unsigned>(Error::kNoSuchJob) || access(target.c_str(), F_OK) != 0) throw;
    log = image_log(resolve_image(target));
  }
  if (a.has("json")) print_json(log);
  else print_log(log);
  return 0;
}

}  // namespace

Command log_command() {
  return {"log",
          "print the environment log of a job or an image",
          "Prints what the program has done to its environment, one line per entry: the executable, the "
          "working directory, open "
          "descriptions and the descriptors that refer to them, locks, signal dispositions, timers, limits. "
          "A job's name "
          "comes before an image of that path.",
          {{"TARGET", "a job (name, virtual pid, real pid) or an image"}},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig log sim", "mig log sim.mig/3"},
          run};
}

}  // namespace mig
