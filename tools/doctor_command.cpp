// mig doctor: what this host (or that one) can do, what is missing and how to get it.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "image/cpu.h"
#include "tools/commands.h"
#include "tools/config.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/parts.h"
#include "tools/probes.h"
#include "tools/problem.h"
#include "tools/remote.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

Json cpu_json() {
  CpuSet set = cpu_features();
  Json names = Json::array();
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (set.has(i)) names.push_back(kCpuFeatures[i].name);
  return {{"level", fmt::format("x86-64-v{}", cpu_level_of(set))}, {"xstate_bytes", cpu_xstate_bytes()}, {"features", names}};
}

Json part_json(const char* name, std::string (*find)()) {
  try {
    return {{"name", name}, {"ok", true}, {"path", find()}};
  } catch (const Problem& p) {
    return {{"name", name}, {"ok", false}, {"path", ""}, {"message", p.what()}};
  }
}

Json limits_json() {
  Json j = Json::object();
  auto put = [&](const char* name, int resource) {
    rlimit l = {};
    getrlimit(static_cast<__rlimit_resource>(resource), &l);
    if (l.rlim_cur == RLIM_INFINITY) j[name] = "unlimited";
    else j[name] = l.rlim_cur;
  };
  put("file_size", RLIMIT_FSIZE), put("descriptors", RLIMIT_NOFILE), put("processes", RLIMIT_NPROC);
  put("address_space", RLIMIT_AS), put("locked_memory", RLIMIT_MEMLOCK);
  return j;
}

Json space_json() {
  Json list = Json::array();
  const char* images = getenv("MIG_IMAGES");
  for (std::string path : {std::string(images && *images ? images : "."), run_directory()}) {
    struct statvfs s = {};
    bool there = statvfs(path.c_str(), &s) == 0;
    list.push_back({{"path", path},
                    {"exists", there},
                    {"writable", access(path.c_str(), W_OK) == 0},
                    {"free", uint64_t{s.f_bavail} * s.f_frsize}});
  }
  return list;
}

Json examine() {
  utsname u = {};
  uname(&u);
  Json probes = Json::array();
  bool ok = true;
  for (const Probe& p : probe_host()) {
    probes.push_back({{"name", p.name}, {"ok", p.works}, {"needed", p.needed}, {"about", p.says}});
    ok = ok && (p.works || !p.needed);
  }
  Json parts = {part_json("libmig.so", library_path), part_json("mig-restart", stub_path)};
  for (const Json& p : parts) ok = ok && p["ok"].get<bool>();
  return {{"schema_version", 1},    {"ok", ok},          {"version", MIG_VERSION}, {"host", u.nodename}, {"kernel", u.release},
          {"machine", u.machine},   {"cpu", cpu_json()}, {"parts", parts},         {"probes", probes},   {"space", space_json()},
          {"limits", limits_json()}};
}

void print_report(const Json& j) {
  auto word = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
  fmt::print("mig {} on {}, Linux {}, {}, CPU level {}\n\n", word(j["version"]), word(j["host"]), word(j["kernel"]),
             word(j["machine"]), word(j["cpu"]["level"]));
  Table table({"", "WHAT", ""});
  for (const Json& p : j["parts"])
    table.add({p["ok"] == true ? "ok" : "MISSING", word(p["name"]), word(p["ok"] == true ? p["path"] : p["message"])});
  for (const Json& p : j["probes"])
    table.add({p["ok"] == true ? "ok" : p["needed"] == true ? "MISSING" : "without", word(p["name"]), word(p["about"])});
  for (const Json& s : j["space"]) {
    std::string state = s["exists"] != true     ? "made when needed"
                        : s["writable"] == true ? size_text(s["free"]) + " free"
                                                : "not writable";
    table.add({s["exists"] == true && s["writable"] != true ? "without" : "ok", "space", word(s["path"]) + ": " + state});
  }
  for (const auto& [name, value] : j["limits"].items()) table.add({"", "limit", name + " " + word(value)});
  table.print();
  fmt::print("\n{}\n",
             j["ok"] == true ? "This host can checkpoint and restart jobs." : "Something that mig needs is missing here.");
}

int run(const Arguments& a) {
  Json j = a.has("HOST") ? remote_doctor(a.text("HOST")) : examine();
  if (a.has("json")) print_json(j);
  else print_report(j);
  return j.value("ok", false) ? kExitDone : kExitRefused;
}

}  // namespace

Command doctor_command() {
  return {"doctor",
          "say what this host can do for jobs",
          "Tries what checkpoints and restarts need from the kernel, looks for mig's parts, the CPU's "
          "features, space and limits, and "
          "says what is missing and how to get it. With HOST it asks mig on that host through ssh. Exit "
          "status 3 if something "
          "necessary is missing.",
          {{"HOST", "another host, as ssh knows it", false}},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig doctor", "mig doctor hostb"},
          run};
}

}  // namespace mig
