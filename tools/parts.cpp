#include "tools/parts.h"

#include <unistd.h>

#include <filesystem>

#include "tools/config.h"
#include "tools/problem.h"

namespace mig {

namespace fs = std::filesystem;

namespace {

/// The part beside this command: first as in the build folder, then as installed.
std::string find_part(const char* built, const char* installed, const char* name) {
  fs::path here = fs::path(command_path()).parent_path();
  for (const char* relative : {built, installed}) {
    fs::path p = (here / relative).lexically_normal();
    if (part_exists(p)) return p;
  }
  throw Problem(Error::kMissingStub, name,
                "it is neither at " + (here / built).lexically_normal().string() + " nor at " +
                    (here / installed).lexically_normal().string());
}

}  // namespace

bool part_exists(const std::string& path) {
  return access(path.c_str(), R_OK) == 0;
}

std::string command_path() {
  std::error_code ec;
  fs::path p = fs::read_symlink("/proc/self/exe", ec);
  return ec ? "mig" : p.string();
}

std::string library_path() {
  return find_part("../preload/libmig.so", MIG_LIBRARY_FROM_BINDIR, "libmig.so");
}

std::string stub_path() {
  return find_part("../restore/mig-restart", MIG_STUB_FROM_BINDIR, "mig-restart");
}

}  // namespace mig
