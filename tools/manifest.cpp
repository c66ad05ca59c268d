#include "tools/manifest.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <string.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "image/base/checksum.h"
#include "image/layout.h"
#include "image/publish.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kChecksumLine[] = "\n\"checksum\":\"";

/// The last line holds the checksum of everything before it.
void verify_text(const std::string& text, const std::string& object) {
  if (text.empty()) throw Problem(Error::kTruncated, object, "the file is empty");
  size_t at = text.rfind(kChecksumLine);
  if (at == std::string::npos) throw Problem(Error::kTruncated, object, "its last line, the checksum, is missing");
  size_t digits = at + strlen(kChecksumLine);
  std::string tail = text.substr(std::min(digits + 16, text.size()));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  if (tail != "\"}") throw Problem(Error::kTruncated, object, "its last line is cut off");
  uint64_t computed = checksum(text.data(), at + 1);
  if (fmt::format("{:016x}", computed) != text.substr(digits, 16)) throw Problem(Error::kChecksum, object);
}

ManifestProcess parse_process(const Json& j) {
  ManifestProcess p;
  p.vpid = j.at("vpid"), p.core = j.at("core"), p.bytes = j.at("bytes");
  p.vppid = j.value("vppid", 0), p.vpgid = j.value("vpgid", 0), p.vsid = j.value("vsid", 0);
  p.threads = j.value("threads", 0), p.executable = j.value("executable", "");
  p.command = j.value("command", std::vector<std::string>{});
  if (p.core.find('/') != std::string::npos) throw std::runtime_error("core file outside the image");
  return p;
}

ManifestFile parse_file(const Json& j) {
  ManifestFile f;
  f.name = j.at("name"), f.bytes = j.at("bytes");
  const Json& sum = j.at("checksum");
  f.checksum = sum.is_string() ? strtoull(sum.get<std::string>().c_str(), nullptr, 16) : sum.get<uint64_t>();
  if (f.name.empty() || f.name[0] == '/' || f.name.find("..") != std::string::npos)
    throw std::runtime_error("carried file outside the image");
  return f;
}

Manifest parse(const Json& j) {
  Manifest m;
  m.format = j.at("format"), m.job = j.at("job"), m.machine = j.at("machine");
  m.generation = j.value("generation", uint64_t{0}), m.created = j.value("created", int64_t{0});
  m.host = j.value("host", ""), m.kernel = j.value("kernel", ""), m.bytes = j.value("bytes", uint64_t{0});
  m.stopped_ms = j.value("stopped_ms", 0.0), m.page_size = j.value("page_size", uint64_t{4096});
  if (auto v = j.find("version"); v != j.end() && v->is_string()) m.version = *v;
  if (auto v = j.find("libmig"); v != j.end() && v->is_string()) m.version = *v;
  Json cpu = j.value("cpu", Json::object());
  m.features = cpu.value("features", std::vector<std::string>{});
  m.required = cpu.value("required", std::vector<std::string>{});
  if (auto v = cpu.find("level"); v != cpu.end()) m.cpu_level = v->is_string() ? v->get<std::string>() : v->dump();
  m.xstate_bytes = cpu.value("xstate_bytes", uint64_t{0});
  for (const Json& p : j.at("processes")) m.processes.push_back(parse_process(p));
  for (const Json& f : j.value("files", Json::array())) m.files.push_back(parse_file(f));
  return m;
}

bool is_image(const fs::path& p) {
  std::error_code ec;
  return fs::is_regular_file(p / "manifest.json", ec);
}

/// Without a `latest` (a file system without links): the highest complete number.
fs::path newest_numbered(const fs::path& images) {
  uint64_t newest = 0;
  std::error_code ec;
  for (const auto& e : fs::directory_iterator(images, ec))
    if (uint64_t n = image_number(e.path().filename().c_str()); n > newest && is_image(e.path())) newest = n;
  return newest ? images / std::to_string(newest) : fs::path();
}

}  // namespace

std::string resolve_image(const std::string& path) {
  std::error_code ec;
  fs::path p = path;
  if (!fs::exists(p, ec)) throw Problem(Error::kNoImage, path, "there is nothing of that name");
  if (p.filename() == "manifest.json") p = fs::absolute(p).parent_path();
  if (is_image(p)) return fs::canonical(p).string();
  if (is_image(p / "latest")) return fs::canonical(p / "latest").string();
  if (fs::path newest = newest_numbered(p); !newest.empty()) return fs::canonical(newest).string();
  throw Problem(Error::kNoImage, path, "it is neither an image nor a directory that holds a complete one");
}

Manifest read_manifest(const std::string& image) {
  std::string object = image + "/manifest.json";
  std::string text = slurp(object);
  verify_text(text, object);
  Manifest m;
  try {
    Json j = Json::parse(text);
    if (j.value("schema_version", 1) != 1 || j.value("format", 0) != static_cast<int>(kFormatVersion))
      throw Problem(Error::kVersion, image,
                    fmt::format("its format is {}, this mig knows {}", j.value("format", 0), kFormatVersion));
    m = parse(j);
  } catch (const Json::exception& e) {
    throw Problem(Error::kVersion, object, std::string("it is not understood: ") + e.what());
  } catch (const std::runtime_error& e) {
    throw Problem(Error::kVersion, object, e.what());
  }
  if (m.machine != "x86_64")
    throw Problem(Error::kArchitecture, image, fmt::format("it was taken on {}, this machine is x86_64", m.machine));
  if (m.processes.empty()) throw Problem(Error::kVersion, image, "it holds no process");
  return m;
}

}  // namespace mig
