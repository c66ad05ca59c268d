// mig inspect: what is in an image.
#include <fmt/format.h>

#include "tools/commands.h"
#include "tools/describe.h"
#include "tools/output.h"
#include "tools/process.h"
#include "tools/stacks.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

Json stacks_json(const CoreFile& core) {
  Json stacks = Json::array();
  for (const Stack& s : unwind_stacks(core)) {
    Json frames = Json::array();
    for (const Frame& f : s.frames)
      frames.push_back({{"address", fmt::format("{:#x}", f.address)}, {"symbol", f.symbol}, {"module", f.module}});
    stacks.push_back({{"vtid", s.vtid}, {"frames", frames}});
  }
  return stacks;
}

std::string text(const Json& j, const char* key) {
  auto at = j.find(key);
  if (at == j.end()) return "";
  return at->is_string() ? at->get<std::string>() : at->dump();
}

void print_summary(const Manifest& m, const std::string& image) {
  fmt::print(
      "image       {}\njob         {}\ntaken       {} on {} ({})\ngeneration  {}\nsize        {}, {} "
      "process{}\nstopped     {:.1f} ms\n",
      image, m.job, date_text(m.created), m.host, m.kernel, m.generation, size_text(m.bytes), m.processes.size(),
      m.processes.size() == 1 ? "" : "es", m.stopped_ms);
  if (!m.cpu_level.empty()) fmt::print("cpu level   {}\n", m.cpu_level);
}

void print_mappings(const Json& core) {
  Table table({"RANGE", "PROT", "SIZE>", "SAVED>", "KIND", "ADVICE", "PATH"});
  for (const Json& m : core["mappings"])
    table.add({text(m, "start").substr(2) + "-" + text(m, "end").substr(2), text(m, "protection"), size_text(m["bytes"]),
               size_text(m["saved"]), text(m, "kind"), text(m, "advice"),
               text(m, "path") + (m.contains("deleted") ? " (deleted)" : "")});
  fmt::print("\n  memory map\n");
  table.print();
}

const Json* description(const Json& core, uint64_t id) {
  for (const Json& d : core["descriptions"])
    if (d["id"] == id) return &d;
  return nullptr;
}

void print_descriptors(const Json& core) {
  Table table({"FD>", "DESCRIPTION>", "KIND", "FLAGS", "POSITION>", "PATH"});
  for (const Json& fd : core["descriptors"]) {
    const Json* d = description(core, fd["description"]);
    if (!d) continue;
    std::string flags = text(*d, "flags") + (fd["close_on_exec"] == true ? "|O_CLOEXEC" : "");
    table.add({text(fd, "fd"), text(fd, "description"), text(*d, "kind"), flags, text(*d, "position"),
               text(*d, "path") + (d->contains("unlinked") ? " (unlinked)" : "")});
  }
  if (table.empty()) return;
  fmt::print("\n  descriptors\n");
  table.print();
}

void print_threads(const Json& core) {
  Table table({"VTID>", "NAME", "CPU TIME>", "BLOCKED IN"});
  for (const Json& t : core["threads"])
    table.add({text(t, "vtid"), text(t, "name"), time_text(t["cpu_time_ns"]), text(t, "blocked_in")});
  fmt::print("\n  threads\n");
  table.print();
}

void print_stacks(const Json& core) {
  for (const Json& stack : core["stacks"]) {
    fmt::print("\n  thread {}\n", text(stack, "vtid"));
    int number = 0;
    for (const Json& f : stack["frames"]) {
      std::string symbol = text(f, "symbol"), module = text(f, "module");
      fmt::print("  #{:<3} {} {}{}\n", number++, text(f, "address"), symbol.empty() ? "??" : symbol,
                 module.empty() ? "" : " in " + module);
    }
  }
}

void print_core(const ManifestProcess& p, const Json& core) {
  fmt::print("\nprocess {}: {}\n", p.vpid, p.command.empty() ? p.executable : join_command(p.command));
  print_threads(core);
  print_descriptors(core);
  print_mappings(core);
  if (core.contains("stacks")) print_stacks(core);
}

int run(const Arguments& a) {
  std::string image = resolve_image(a.text("IMAGE"));
  Manifest m = read_manifest(image);
  Json out = {{"schema_version", 1}};
  out.update(describe_manifest(image, m));
  Json cores = Json::array();
  if (!a.has("json")) print_summary(m, image);
  for (const ManifestProcess& p : m.processes) {
    CoreFile core(image + "/" + p.core, p.bytes);
    Json j = describe_core(core);
    if (a.has("stacks")) j["stacks"] = stacks_json(core);
    if (!a.has("json")) print_core(p, j);
    else cores.push_back(std::move(j));
  }
  out["cores"] = std::move(cores);
  if (a.has("json")) print_json(out);
  return 0;
}

}  // namespace

Command inspect_command() {
  return {"inspect",
          "show what is in an image",
          "Shows an image: where and when it was taken, its processes, their threads, descriptors and memory "
          "maps. With --stacks "
          "the backtrace of every thread, unwound over the image's own memory. `mig core` makes a file for gdb.",
          {{"IMAGE", "an image, or a directory of images (its latest)"}},
          {{"stacks", nullptr, nullptr, "with the backtrace of every thread"}, {"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig inspect sim.mig --stacks"},
          run};
}

}  // namespace mig
