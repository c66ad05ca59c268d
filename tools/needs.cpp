#include "tools/needs.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "tools/process.h"

namespace mig {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = 128 << 10;  ///< of all paths together: they go into one frame

uint64_t kilobytes(int pid, const char* field) {
  return strtoull(status_field(pid, field).c_str(), nullptr, 10) << 10;
}

bool of_the_host(const std::string& path) {
  return path.empty() || path[0] != '/' || path.compare(0, 6, "/proc/") == 0 || path.compare(0, 5, "/dev/") == 0;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// The name by which a link of /proc refers to a file or directory, if that is still its name.
std::string name_behind(const fs::path& link) {
  std::error_code ec;
  std::string path = fs::read_symlink(link, ec).string();
  struct stat open, named;
  if (ec || of_the_host(path) || stat(link.c_str(), &open) != 0 || stat(path.c_str(), &named) != 0) return "";
  return is_same(open, named) && (S_ISREG(open.st_mode) || S_ISDIR(open.st_mode)) ? path : "";
}

/// Not the job's control block: every host has its own.
void add_shared_mappings(const JobFile& job, int pid, std::set<std::string>& paths) {
  struct stat own {};
  stat(job.path().c_str(), &own);
  std::istringstream in(slurp(fmt::format("/proc/{}/maps", pid)));
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string range, access, skip, path;
    fields >> range >> access >> skip >> skip >> skip >> std::ws;
    std::getline(fields, path);
    struct stat st;
    if (access.size() != 4 || access[3] != 's' || of_the_host(path) || stat(path.c_str(), &st) != 0) continue;
    if (!is_same(st, own)) paths.insert(path);
  }
}

}  // namespace

uint64_t memory_needed(const JobFile& job) {
  uint64_t sum = 0;
  for (const Member& m : live_members(job))
    sum += kilobytes(m.pid, "RssAnon") + kilobytes(m.pid, "RssShmem") + kilobytes(m.pid, "VmSwap");
  return sum;
}

std::set<std::string> paths_needed(const JobFile& job) {
  std::set<std::string> paths;
  for (const Member& m : live_members(job)) {
    std::string process = fmt::format("/proc/{}", m.pid);
    paths.insert(name_behind(process + "/cwd"));
    std::error_code ec;
    for (const auto& e : fs::directory_iterator(process + "/fd", ec)) paths.insert(name_behind(e.path()));
    add_shared_mappings(job, m.pid, paths);
  }
  paths.erase("");
  size_t bytes = 0;
  for (auto at = paths.begin(); at != paths.end();) at = (bytes += at->size() + 8) > kMostBytes ? paths.erase(at) : std::next(at);
  return paths;
}

}  // namespace mig
