// What more than one process has.
//
// A description is opened here if several processes have descriptors for it, if an epoll instance of another process
// watches it, or if it is an end of something (a pipe, a connection, a file without a name) that another process has an end
// of, or has mapped. A pidfd can only be promised. All else is opened by the one process that has it, after the fork.
#include "restore/shared.h"

#include "image/device.h"
#include "restore/datagrams.h"
#include "restore/failure.h"
#include "restore/messages.h"
#include "restore/pidfds.h"
#include "restore/shared_memory.h"
#include "restore/spread.h"

namespace mig {
namespace {

constexpr uint64_t kFileObject = 256;  ///< beside the numbers of kinds

HomeArray<uint32_t> by_number;

void note_number(uint64_t number, uint32_t index) {
  if (!number || number > (1u << 30)) return;
  if (number >= by_number.size()) by_number.add(number + 1 - by_number.size());
  by_number[number] = index + 1;
}

void list_descriptions(const Plan& plan, int32_t index) {
  const PlannedProcess& process = plan.processes[static_cast<size_t>(index)];
  RecordReader reader = process.file.records();
  while (const RecordHeader* h = reader.next()) {
    if (h->type != RecordType::kDescription) continue;
    auto record = record_as<DescriptionRecord>(h);
    if (is_borrowed(record, process.record.vpid)) continue;
    note_number(record.shared, static_cast<uint32_t>(all_descriptions().size()));
    all_descriptions().push({record, record_tail(h), -1, -1, reader, index, process.record.vpid, false});
  }
}

/// Whoever uses a table of descriptors is to find them all open.
void find_common_tables(const Plan& plan) {
  for (const PlannedProcess& p : plan.processes) {
    if (!p.record.files_vpid) continue;
    for (PreparedDescription& d : all_descriptions())
      if (p.record.files_vpid == d.vpid) d.common = true;
  }
}

void find_borrowed(const PlannedProcess& process) {
  process.file.each_as<DescriptionRecord>(RecordType::kDescription, [&](const DescriptionRecord& r, const char*) {
    if (is_borrowed(r, process.record.vpid)) all_descriptions()[shared_description(r.shared)].common = true;
  });
  process.file.each_as<EpollEntryRecord>(RecordType::kEpollEntry, [](const EpollEntryRecord& e, const char*) {
    if (e.shared) all_descriptions()[shared_description(e.shared)].common = true;
  });
}

/// What its other ends have in common with it; type 0: it has none.
SpreadKey object_of(const PreparedDescription& p) {
  const DescriptionRecord& r = p.record;
  switch (kind_of(p)) {
    case DescriptionKind::kPipe:
    case DescriptionKind::kFifo:
    case DescriptionKind::kSocketPair:
    case DescriptionKind::kTcpPair: return {r.kind, r.device, r.peer};
    case DescriptionKind::kPseudoTerminal: return {r.kind, 0, r.peer};
    case DescriptionKind::kRegular:
    case DescriptionKind::kMemfd:
      if (r.flags & kDescriptionUnlinked) return {kFileObject, r.device, r.inode};
      [[fallthrough]];
    default: return {};
  }
}

void find_spread(const Plan& plan) {
  size_t most = all_descriptions().size();
  for (const PlannedProcess& p : plan.processes) p.file.each(RecordType::kMapping, [&](const RecordHeader*) { ++most; });
  Spread spread(most);
  for (const PreparedDescription& p : all_descriptions())
    if (SpreadKey key = object_of(p); key.type) spread.note(key, p.common ? Spread::kSeveral : p.process);
  int32_t index = 0;
  for (const PlannedProcess& p : plan.processes) {
    p.file.each_as<MappingRecord>(RecordType::kMapping, [&](const MappingRecord& m, const char*) {
      if (static_cast<MappingKind>(m.kind) == MappingKind::kMemfd)
        spread.note({kFileObject, stat_device(m.device), m.inode}, index);
    });
    ++index;
  }
  for (PreparedDescription& p : all_descriptions())
    if (SpreadKey key = object_of(p); key.type && spread.has_several(key)) p.common = true;
}

}  // namespace

size_t shared_description(uint64_t number) {
  if (number >= by_number.size() || !by_number[number])
    give_up(Error::kChecksum, "the image", "a process has a descriptor that is in no process's file");
  return by_number[number] - 1;
}

void open_shared_things(Plan& plan) {
  for (size_t i = 0; i < plan.processes.size(); ++i) list_descriptions(plan, static_cast<int32_t>(i));
  if (plan.processes.size() < 2) return;
  for (const PlannedProcess& p : plan.processes) find_borrowed(p);
  find_common_tables(plan);
  find_underway();
  find_datagrams();
  find_spread(plan);
  for (PreparedDescription& p : all_descriptions()) {
    if (!p.common) continue;
    image = plan.processes[static_cast<size_t>(p.process)].file;
    if (kind_of(p) == DescriptionKind::kPidfd) promise_pidfd(p);
    else open_description(p);
  }
  make_shared_memory(plan);
}

}  // namespace mig
