// mig check: will it move?
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/findings.h"
#include "tools/output.h"
#include "tools/problem.h"
#include "tools/remote.h"

namespace mig {

namespace {

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
  Findings found = examine_job(t);
  if (a.has("to")) found.push_back(compare_cpu(t, a.text("to"), remote_doctor(a.text("to"))["cpu"]["features"]));
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
