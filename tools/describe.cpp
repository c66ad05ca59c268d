#include "tools/describe.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/procfs.h>

#include <algorithm>

#include "image/base/arena.h"
#include "tools/duration.h"
#include "tools/words.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

std::string hex(uint64_t v) {
  return fmt::format("{:#x}", v);
}

std::string tail_text(const RecordHeader* h) {
  std::string_view tail(record_tail(h), h->tail_size);
  return std::string(tail.substr(0, tail.find('\0')));
}

std::string owner_text(const char* name, size_t size) {
  return {name, strnlen(name, size)};
}

Json describe_process(const CoreFile& core) {
  auto all = core.all<ProcessRecord>(RecordType::kProcess);
  if (all.empty()) return Json::object();
  const ProcessRecord& p = all[0];
  return {{"vpid", p.vpid},
          {"vppid", p.vppid},
          {"vpgid", p.vpgid},
          {"vsid", p.vsid},
          {"generation", p.generation},
          {"threads", p.thread_count},
          {"umask", fmt::format("{:04o}", p.umask)},
          {"personality", hex(p.personality)},
          {"dumpable", p.dumpable},
          {"no_new_privs", p.no_new_privs},
          {"child_subreaper", p.child_subreaper},
          {"oom_score_adj", p.oom_score_adj},
          {"coredump_filter", hex(p.coredump_filter)},
          {"user_time_ns", p.user_time},
          {"system_time_ns", p.system_time},
          {"realtime_ns", p.realtime},
          {"monotonic_ns", p.monotonic},
          {"boottime_ns", p.boottime},
          {"brk", hex(p.bounds.start_brk) + "-" + hex(p.bounds.brk)}};
}

Json describe_credentials(const CredentialsRecord& c, const RecordHeader* h) {
  Json groups = Json::array();
  for (uint32_t i = 0; i < c.group_count && (i + 1) * sizeof i <= h->tail_size; ++i) {
    uint32_t group;
    memcpy(&group, record_tail(h) + i * sizeof group, sizeof group);
    groups.push_back(group);
  }
  return {{"uid", {c.ruid, c.euid, c.suid, c.fsuid}},
          {"gid", {c.rgid, c.egid, c.sgid, c.fsgid}},
          {"groups", groups},
          {"effective", hex(c.effective)},
          {"permitted", hex(c.permitted)},
          {"bounding", hex(c.bounding)},
          {"securebits", c.securebits}};
}

Json describe_mapping(const CoreFile& core, const MappingEntry& m) {
  auto kind = static_cast<MappingKind>(m.record.kind);
  bool is_private = kind == MappingKind::kAnonymous || kind == MappingKind::kFilePrivate;
  Json j = {{"start", hex(m.record.start)},
            {"end", hex(m.record.end)},
            {"protection", protection_text(m.record.protection, !is_private)},
            {"kind", mapping_kind_word(m.record.kind)},
            {"bytes", m.record.end - m.record.start},
            {"saved", saved_bytes(core, m.record)},
            {"offset", m.record.offset},
            {"path", m.path}};
  if (m.record.advice) j["advice"] = advice_words(m.record.advice);
  if (m.record.flags & kMappingCarried) j["carried"] = true;
  if (m.record.flags & kMappingFileDeleted) j["deleted"] = true;
  if (m.record.page_size && m.record.page_size != kPage) j["page_size"] = m.record.page_size;
  if (m.record.protection_key) j["protection_key"] = m.record.protection_key;
  return j;
}

Json describe_thread(const ThreadRecord& t) {
  Json j = {{"vtid", t.vtid},
            {"name", owner_text(t.name, sizeof t.name)},
            {"main", (t.flags & kThreadMain) != 0},
            {"signal_mask", hex(t.signal_mask)},
            {"policy", policy_word(t.policy)},
            {"nice", t.nice},
            {"cpu_time_ns", t.cpu_time},
            {"fs_base", hex(t.fs_base)}};
  if (t.priority) j["priority"] = t.priority;
  if (t.system_call >= 0) j["blocked_in"] = system_call_word(t.system_call);
  if (t.alternate_stack_size) j["alternate_stack"] = hex(t.alternate_stack) + "+" + hex(t.alternate_stack_size);
  if (t.rseq) j["rseq"] = hex(t.rseq);
  if (t.robust_list) j["robust_list"] = hex(t.robust_list);
  return j;
}

Json describe_action(const SignalActionRecord& s) {
  std::string handler = s.handler == 0 ? "default" : s.handler == 1 ? "ignore" : hex(s.handler);
  return {
      {"signal", signal_name(static_cast<int>(s.signal))}, {"handler", handler}, {"flags", hex(s.flags)}, {"mask", hex(s.mask)}};
}

Json describe_pending(const PendingSignalRecord& p) {
  siginfo_t info;
  static_assert(sizeof info == sizeof p.info);
  memcpy(&info, p.info, sizeof info);
  return {{"vtid", p.vtid}, {"signal", signal_name(info.si_signo)}, {"code", info.si_code}, {"pid", info.si_pid}};
}

Json describe_posix_timer(const PosixTimerRecord& t) {
  return {{"id", t.id},          {"clock", clock_word(t.clock)}, {"notify", t.notify},  {"signal", signal_name(t.signal)},
          {"value_ns", t.value}, {"interval_ns", t.interval},    {"overrun", t.overrun}};
}

Json describe_description(const DescriptionRecord& d, const RecordHeader* h) {
  Json j = {{"id", d.id},
            {"kind", description_kind_word(d.kind)},
            {"path", tail_text(h)},
            {"flags", open_flag_words(d.open_flags)},
            {"position", d.position}};
  if (d.size) j["size"] = d.size;
  if (d.flags & kDescriptionNamed) j["named_memory"] = true;
  else if (d.flags & kDescriptionUnlinked) j["unlinked"] = true;
  if (d.flags & kDescriptionWritten) j["written"] = true;
  if (d.owner) j["owner"] = d.owner;
  if (d.owner_signal) j["owner_signal"] = signal_name(d.owner_signal);
  auto kind = static_cast<DescriptionKind>(d.kind);
  bool paired = kind == DescriptionKind::kPipe || kind == DescriptionKind::kSocketPair || kind == DescriptionKind::kInherited;
  if (paired) j["peer"] = d.peer;
  return j;
}

Json describe_lock(const FileLockRecord& l) {
  return {
      {"description", l.description}, {"kind", lock_word(l.kind)}, {"type", l.type}, {"start", l.start}, {"length", l.length}};
}

Json describe_limit(const LimitRecord& l) {
  auto text = [](uint64_t v) { return v == ~0UL ? std::string("unlimited") : std::to_string(v); };
  return {{"limit", limit_word(l.resource)}, {"current", text(l.current)}, {"maximum", text(l.maximum)}};
}

Json describe_terminal(const TerminalRecord& t) {
  return {{"description", t.description}, {"foreground", t.foreground}, {"rows", t.rows}, {"columns", t.columns}};
}

/// Puts one record where it belongs.
void add_record(Json& j, const RecordHeader* h) {
  switch (h->type) {
    case RecordType::kText:
      j["texts"].push_back(
          {{"role", text_role_word(static_cast<uint32_t>(record_as<TextRecord>(h).role))}, {"text", tail_text(h)}});
      if (record_as<TextRecord>(h).flags & kTextDeleted) j["texts"].back()["deleted"] = true;
      break;
    case RecordType::kCredentials: j["credentials"] = describe_credentials(record_as<CredentialsRecord>(h), h); break;
    case RecordType::kLimit: j["limits"].push_back(describe_limit(record_as<LimitRecord>(h))); break;
    case RecordType::kThread: j["threads"].push_back(describe_thread(record_as<ThreadRecord>(h))); break;
    case RecordType::kExtendedState: {
      auto x = record_as<ExtendedStateRecord>(h);
      j["extended_state"] = {{"enabled", hex(x.enabled)}, {"permitted", hex(x.permitted)}};
      break;
    }
    case RecordType::kSignalAction: j["signal_actions"].push_back(describe_action(record_as<SignalActionRecord>(h))); break;
    case RecordType::kPendingSignal: j["pending_signals"].push_back(describe_pending(record_as<PendingSignalRecord>(h))); break;
    case RecordType::kIntervalTimer: {
      auto t = record_as<IntervalTimerRecord>(h);
      j["interval_timers"].push_back({{"which", t.which}, {"value_ns", t.value}, {"interval_ns", t.interval}});
      break;
    }
    case RecordType::kPosixTimer: j["posix_timers"].push_back(describe_posix_timer(record_as<PosixTimerRecord>(h))); break;
    case RecordType::kDescription: j["descriptions"].push_back(describe_description(record_as<DescriptionRecord>(h), h)); break;
    case RecordType::kDescriptor: {
      auto d = record_as<DescriptorRecord>(h);
      j["descriptors"].push_back({{"fd", d.fd}, {"description", d.description}, {"close_on_exec", d.close_on_exec != 0}});
      break;
    }
    case RecordType::kFileLock: j["locks"].push_back(describe_lock(record_as<FileLockRecord>(h))); break;
    case RecordType::kContents: {
      auto c = record_as<ContentsRecord>(h);
      j["contents"].push_back({{"description", c.description}, {"size", c.size}, {"carried", c.carried}});
      break;
    }
    case RecordType::kEpollEntry: {
      auto e = record_as<EpollEntryRecord>(h);
      j["epoll_entries"].push_back({{"epoll", e.epoll}, {"fd", e.fd}, {"events", hex(e.events)}, {"data", hex(e.data)}});
      break;
    }
    case RecordType::kInotifyWatch: {
      auto w = record_as<InotifyWatchRecord>(h);
      j["inotify_watches"].push_back(
          {{"description", w.description}, {"watch", w.watch}, {"mask", hex(w.mask)}, {"path", tail_text(h)}});
      break;
    }
    case RecordType::kTerminal: j["terminals"].push_back(describe_terminal(record_as<TerminalRecord>(h))); break;
    case RecordType::kProcess:
    case RecordType::kAuxv:
    case RecordType::kMapping:
    case RecordType::kPackedPages: break;
    default:
      j["unknown_records"].push_back({{"type", static_cast<uint32_t>(h->type)}, {"required", (h->flags & kRecordRequired) != 0}});
  }
}

}  // namespace

uint64_t saved_bytes(const CoreFile& core, const MappingRecord& m) {
  uint64_t bytes = 0;
  for (const Elf64_Phdr& p : core.loads())
    if (p.p_vaddr >= m.start && p.p_vaddr < m.end) bytes += p.p_filesz;
  for (const PackedEntry& e : core.packed())
    if (e.record.start >= m.start && e.record.start < m.end) bytes += e.record.page_count * kPage;
  return bytes;
}

Json describe_core(const CoreFile& core) {
  Json j = {{"process", describe_process(core)}};
  for (const char* list : {"texts", "threads", "mappings", "descriptors", "descriptions"}) j[list] = Json::array();
  for (const MappingEntry& m : core.mappings()) j["mappings"].push_back(describe_mapping(core, m));
  for (const RecordHeader* h : core.records()) add_record(j, h);
  return j;
}

Json describe_manifest(const std::string& image, const Manifest& m) {
  Json processes = Json::array();
  for (const ManifestProcess& p : m.processes)
    processes.push_back({{"vpid", p.vpid},
                         {"vppid", p.vppid},
                         {"vpgid", p.vpgid},
                         {"vsid", p.vsid},
                         {"core", p.core},
                         {"bytes", p.bytes},
                         {"threads", p.threads},
                         {"executable", p.executable},
                         {"command", p.command}});
  Json files = Json::array();
  for (const ManifestFile& f : m.files) files.push_back({{"name", f.name}, {"bytes", f.bytes}});
  return {{"image", image},
          {"job", m.job},
          {"generation", m.generation},
          {"created", m.created},
          {"host", m.host},
          {"kernel", m.kernel},
          {"machine", m.machine},
          {"format", m.format},
          {"bytes", m.bytes},
          {"stopped_ms", m.stopped_ms},
          {"version", m.version},
          {"cpu", {{"level", m.cpu_level}, {"required", m.required}, {"xstate_bytes", m.xstate_bytes}}},
          {"processes", processes},
          {"files", files}};
}

}  // namespace mig
