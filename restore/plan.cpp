#include "restore/plan.h"

#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

int32_t index_of(const Plan& plan, int32_t vpid) {
  for (size_t i = 0; i < plan.processes.size(); ++i)
    if (plan.processes[i].record.vpid == vpid) return static_cast<int32_t>(i);
  return -1;
}

void read_process(PlannedProcess& p, const char* core) {
  p.file.open(core, home_memory);
  p.file.close();
  bool found = false;
  p.file.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& r, const char*) {
    p.record = r;
    found = true;
  });
  p.clocks = {p.record.monotonic, p.record.boottime};
  p.file.each_as<ClocksRecord>(RecordType::kClocks, [&](const ClocksRecord& c, const char*) { p.clocks = c; });
  if (!found) give_up(Error::kChecksum, core, "it has no process in it");
}

}  // namespace

void make_plan(Plan& plan) {
  plan.processes.reserve(static_cast<size_t>(options.core_count));
  for (int i = 0; i < options.core_count; ++i) {
    PlannedProcess* p = plan.processes.add();
    p->parent = p->first_child = p->next_sibling = -1;
    read_process(*p, options.cores[i]);
    if (p->clocks.monotonic > plan.clocks.monotonic) plan.clocks.monotonic = p->clocks.monotonic;
    if (p->clocks.boottime > plan.clocks.boottime) plan.clocks.boottime = p->clocks.boottime;
  }
  for (size_t i = plan.processes.size(); i-- > 1;) {
    PlannedProcess& p = plan.processes[i];
    p.parent = index_of(plan, p.record.vppid);
    if (p.parent < 0) continue;
    PlannedProcess& parent = plan.processes[static_cast<size_t>(p.parent)];
    p.next_sibling = parent.first_child;
    parent.first_child = static_cast<int32_t>(i);
  }
}

}  // namespace mig
