// mig verify: every checksum of an image.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "image/base/checksum.h"
#include "image/base/file.h"
#include "tools/commands.h"
#include "tools/core_file.h"
#include "tools/manifest.h"
#include "tools/output.h"
#include "tools/problem.h"

namespace mig {

namespace {

using Problems = std::vector<Problem>;

void verify_core(const std::string& image, const ManifestProcess& p, Problems& found) {
  std::string path = image + "/" + p.core;
  try {
    CoreFile core(path, p.bytes);
    std::vector<uint64_t> bad = core.damaged_blocks();
    if (bad.empty()) return;
    found.emplace_back(Error::kChecksum, path,
                       fmt::format("{} of {} blocks have changed, the first at byte {}", bad.size(),
                                   block_count(core.trailer().tail_offset), kDataOffset + bad[0] * kBlockSize));
  } catch (const Problem& problem) {
    found.push_back(problem);
  }
}

void verify_file(const std::string& image, const ManifestFile& f, Problems& found) {
  std::string path = image + "/" + f.name;
  ScopedFd fd(open_path(path.c_str(), O_RDONLY | O_NONBLOCK));
  struct stat st = {};
  if (!fd.ok()) {
    found.emplace_back(Error::kTruncated, path, kernel_reason(fd.error()));
    return;
  }
  if (fstat(fd.get(), &st) != 0 || static_cast<uint64_t>(st.st_size) < f.bytes) {
    found.emplace_back(Error::kTruncated, path, fmt::format("it has {} bytes instead of {}", st.st_size, f.bytes));
    return;
  }
  void* data = f.bytes ? mmap(nullptr, f.bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0) : nullptr;
  if (data == MAP_FAILED) {
    found.emplace_back(Error::kNoMemory, path, kernel_reason(errno));
    return;
  }
  if (static_cast<uint64_t>(st.st_size) != f.bytes || checksum(data, f.bytes) != f.checksum)
    found.emplace_back(Error::kChecksum, path);
  if (data) munmap(data, f.bytes);
}

void report_json(const std::string& image, const Manifest& m, const Problems& found) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Problem& p : found) list.push_back({{"code", code_text(p.code())}, {"message", p.what()}});
  print_json({{"schema_version", 1},
              {"image", image},
              {"job", m.job},
              {"bytes", m.bytes},
              {"intact", found.empty()},
              {"problems", list}});
}

int run(const Arguments& a) {
  std::string image = resolve_image(a.text("IMAGE"));
  Problems found;
  Manifest m;
  try {
    m = read_manifest(image);
  } catch (const Problem& p) {
    if (!a.has("json")) throw;
    found.push_back(p);
  }
  for (const ManifestProcess& p : m.processes) verify_core(image, p, found);
  for (const ManifestFile& f : m.files) verify_file(image, f, found);
  if (a.has("json")) report_json(image, m, found);
  else if (found.empty()) fmt::print("{}: intact\n", image);
  for (const Problem& p : found) fmt::print(stderr, "mig: {}\n", p.what());
  return found.empty() ? kExitDone : found.front().exit_code();
}

}  // namespace

Command verify_command() {
  return {"verify",
          "check every checksum of an image",
          "Reads the whole image and compares every checksum: the manifest, each block of each process file, "
          "each carried file. "
          "Exit status 6 if anything is damaged.",
          {{"IMAGE", "an image, or a directory of images (its latest)"}},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig verify sim.mig", "mig verify sim.mig/3"},
          run};
}

}  // namespace mig
