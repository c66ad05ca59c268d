// mig diff: what changed from one image to another, process by process: threads, descriptors, mappings and
// pages.
#include <fmt/format.h>
#include <string.h>

#include <map>
#include <memory>

#include "image/base/arena.h"
#include "tools/commands.h"
#include "tools/describe.h"
#include "tools/output.h"
#include "tools/problem.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

struct Image {
  explicit Image(const std::string& path) : directory(resolve_image(path)), manifest(read_manifest(directory)) {
    for (const ManifestProcess& p : manifest.processes)
      cores[p.vpid] = std::make_unique<CoreFile>(directory + "/" + p.core, p.bytes);
  }
  std::string directory;
  Manifest manifest;
  std::map<int, std::unique_ptr<CoreFile>> cores;
};

/// Entries of a list by what names them: a mapping by its start, a descriptor by its number.
std::map<std::string, Json> by_key(const Json& core, const char* list, const char* key) {
  std::map<std::string, Json> entries;
  for (const Json& e : core[list]) entries[e[key].dump()] = e;
  return entries;
}

void add_change(Json& changes, const char* what, const char* change, const Json& before, const Json& after) {
  Json j = {{"what", what}, {"change", change}};
  if (!before.is_null()) j["before"] = before;
  if (!after.is_null()) j["after"] = after;
  changes.push_back(std::move(j));
}

void compare_lists(const Json& a, const Json& b, const char* what, const char* list, const char* key,
                   const std::vector<const char*>& ignored, Json& changes) {
  auto before = by_key(a, list, key), after = by_key(b, list, key);
  for (auto& [k, e] : before) {
    auto other = after.find(k);
    if (other == after.end()) {
      add_change(changes, what, "gone", e, nullptr);
      continue;
    }
    Json x = e, y = other->second;
    for (const char* i : ignored) x.erase(i), y.erase(i);
    if (x != y) add_change(changes, what, "changed", e, other->second);
  }
  for (auto& [k, e] : after)
    if (!before.count(k)) add_change(changes, what, "new", nullptr, e);
}

/// Descriptors with what they refer to, so that a renumbered description is no change.
Json with_descriptions(Json core) {
  for (Json& fd : core["descriptors"]) {
    for (const Json& d : core["descriptions"])
      if (d["id"] == fd["description"])
        for (const char* key : {"kind", "path", "flags", "position", "size"})
          if (d.contains(key)) fd[key] = d[key];
    fd.erase("description");
  }
  return core;
}

bool same_page(const CoreFile& a, const CoreFile& b, uint64_t address) {
  static const char zeros[kPage] = {};
  const char *x = a.saved_page(address), *y = b.saved_page(address);
  if (x == y) return true;
  return memcmp(x ? x : zeros, y ? y : zeros, kPage) == 0;
}

/// Only pages that either image saved can differ.
uint64_t changed_pages(const CoreFile& a, const CoreFile& b, const MappingRecord& m) {
  std::map<uint64_t, uint64_t> saved;  // start and end of what either holds
  for (const CoreFile* c : {&a, &b}) {
    for (const Elf64_Phdr& p : c->loads())
      if (p.p_vaddr >= m.start && p.p_vaddr < m.end && p.p_filesz)
        saved[p.p_vaddr] = std::max(saved[p.p_vaddr], p.p_vaddr + p.p_filesz);
    for (const PackedEntry& e : c->packed())
      if (e.record.start >= m.start && e.record.start < m.end)
        saved[e.record.start] = std::max(saved[e.record.start], e.record.end);
  }
  uint64_t changed = 0, done = 0;
  for (auto [start, end] : saved)
    for (uint64_t at = std::max(start, done); at < end; at += kPage, done = at) changed += !same_page(a, b, at);
  return changed;
}

Json compare_pages(const CoreFile& a, const CoreFile& b, uint64_t& total) {
  Json list = Json::array();
  for (const MappingEntry& m : b.mappings()) {
    const MappingEntry* old = a.mapping_at(m.record.start);
    if (!old) continue;
    uint64_t n = changed_pages(a, b, m.record);
    total += n;
    if (n) list.push_back({{"start", fmt::format("{:#x}", m.record.start)}, {"pages", n}, {"kind", "memory"}, {"path", m.path}});
  }
  return list;
}

Json compare_cores(const CoreFile& a, const CoreFile& b) {
  Json x = with_descriptions(describe_core(a)), y = with_descriptions(describe_core(b));
  Json changes = Json::array();
  compare_lists(x, y, "thread", "threads", "vtid", {"cpu_time_ns"}, changes);
  compare_lists(x, y, "descriptor", "descriptors", "fd", {}, changes);
  compare_lists(x, y, "mapping", "mappings", "start", {"saved"}, changes);
  uint64_t pages = 0;
  Json memory = compare_pages(a, b, pages);
  return {{"changes", changes}, {"pages", pages}, {"memory", memory}};
}

std::string brief(const Json& e) {
  std::string s;
  for (const char* key : {"vtid", "fd", "start", "end", "name", "protection", "kind", "path", "position", "blocked_in", "bytes"})
    if (e.contains(key) && e[key] != "") s += fmt::format(" {}", e[key].is_string() ? e[key].get<std::string>() : e[key].dump());
  return s;
}

void print_process(int vpid, const Json& d) {
  fmt::print("process {}: {} changed pages\n", vpid, d["pages"].get<uint64_t>());
  for (const Json& c : d["changes"]) {
    std::string what = c["what"], change = c["change"];
    if (change == "changed") fmt::print("  {} changed:{}  ->{}\n", what, brief(c["before"]), brief(c["after"]));
    else fmt::print("  {} {}:{}\n", what, change, brief(c.contains("after") ? c["after"] : c["before"]));
  }
  for (const Json& m : d["memory"])
    fmt::print("  {} pages changed at {} {}\n", m["pages"].get<uint64_t>(), m["start"].get<std::string>(),
               m["path"].get<std::string>());
}

int run(const Arguments& a) {
  Image before(a.text("A")), after(a.text("B"));
  Json processes = Json::array();
  for (auto& [vpid, core] : after.cores) {
    auto old = before.cores.find(vpid);
    Json d = old == before.cores.end() ? Json{{"change", "new"}} : compare_cores(*old->second, *core);
    if (!a.has("json") && old != before.cores.end()) print_process(vpid, d);
    else if (!a.has("json")) fmt::print("process {}: new\n", vpid);
    d["vpid"] = vpid;
    processes.push_back(d);
  }
  for (auto& [vpid, core] : before.cores) {
    if (after.cores.count(vpid)) continue;
    if (!a.has("json")) fmt::print("process {}: gone\n", vpid);
    processes.push_back({{"change", "gone"}, {"vpid", vpid}});
  }
  if (a.has("json"))
    print_json({{"schema_version", 1}, {"a", before.directory}, {"b", after.directory}, {"processes", processes}});
  return 0;
}

}  // namespace

Command diff_command() {
  return {"diff",
          "show what changed between two images",
          "Compares two images process by process: threads, descriptors and mappings that came, went or "
          "changed, and how many pages "
          "of memory differ.",
          {{"A", "the earlier image"}, {"B", "the later image"}},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig diff sim.mig/1 sim.mig/2"},
          run};
}

}  // namespace mig
