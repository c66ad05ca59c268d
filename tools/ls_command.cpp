// mig ls: the jobs of this user on this host, and their processes.
#include <fmt/format.h>
#include <string.h>

#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/jobs.h"
#include "tools/output.h"
#include "tools/process.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

Json process_json(const Member& m, const ProcessStat& s) {
  return {{"vpid", m.vpid},
          {"pid", m.pid},
          {"ppid", m.vppid},
          {"state", state_word(s.state)},
          {"threads", s.threads},
          {"rss", s.rss},
          {"command", command_of(m.pid)}};
}

Json job_json(const JobFile& job) {
  Json processes = Json::array();
  for (const Member& m : live_members(job))
    if (auto s = read_stat(m.pid)) processes.push_back(process_json(m, *s));
  return {{"job", job.name()},
          {"images", std::string(job->images, strnlen(job->images, sizeof job->images))},
          {"generation", job->generation},
          {"last_checkpoint", job->last_checkpoint},
          {"processes", processes}};
}

void print_table(const Json& jobs) {
  Table table({"JOB", "VPID>", "PID>", "PARENT>", "STATE", "THREADS>", "MEMORY>", "CHECKPOINT", "COMMAND"});
  for (const Json& job : jobs)
    for (const Json& p : job["processes"])
      table.add({job["job"], std::to_string(p["vpid"].get<int>()), std::to_string(p["pid"].get<int>()),
                 std::to_string(p["ppid"].get<int>()), p["state"], std::to_string(p["threads"].get<int>()), size_text(p["rss"]),
                 date_text(job["last_checkpoint"]), join_command(p["command"])});
  table.print();
}

int run(const Arguments& a) {
  Json jobs = Json::array();
  for (const JobPtr& job : find_jobs()) jobs.push_back(job_json(*job));
  if (a.has("json")) print_json({{"schema_version", 1}, {"jobs", jobs}});
  else if (jobs.empty()) fmt::print(stderr, "mig: no jobs of this user on this host; start one with `mig run -- PROG`\n");
  else print_table(jobs);
  return 0;
}

}  // namespace

Command ls_command() {
  return {"ls",
          "list this user's jobs and their processes",
          "Lists the jobs of this user on this host and their processes: the job's name, the virtual pid (the "
          "one the "
          "program itself sees, the same on every host), the real pid, the virtual pid of the parent, the state, "
          "threads, resident memory, the time of the last checkpoint, and the command.",
          {},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig ls", "mig ls --json"},
          run};
}

}  // namespace mig
