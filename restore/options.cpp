#include "restore/options.h"

#include "image/base/text.h"
#include "restore/failure.h"
#include "restore/hold.h"

namespace mig {

Options options;

namespace {

void add_map(char* text) {
  if (options.map_count == kMaxMaps) give_up(Error::kBadArgument, "--map", "too many of them");
  char* equals = text;
  while (*equals && *equals != '=') ++equals;
  if (!*equals || equals == text) give_up(Error::kBadArgument, text, "--map wants OLD=NEW");
  *equals = 0;
  options.maps[options.map_count++] = {text, equals + 1};
}

void add_environment(const char* text) {
  if (options.environment_count == kMaxMaps) give_up(Error::kBadArgument, "--env", "too many of them");
  options.environment[options.environment_count++] = text;
}

}  // namespace

void read_options(char** argv) {
  options.ready_fd = -1;
  for (int i = 1; argv[i]; ++i) {
    const char* name = argv[i];
    if (name[0] != '-') {
      if (!options.core_count) options.cores = const_cast<const char**>(argv + i);
      ++options.core_count;
      continue;
    }
    char* value = argv[i + 1];
    if (!value || options.core_count) give_up(Error::kBadArgument, name, "a value is missing, or it stands behind a file");
    ++i;
    if (text_equal(name, "--image")) options.image = value;
    else if (text_equal(name, "--job")) options.job = value;
    else if (text_equal(name, "--run-dir")) options.run_directory = value;
    else if (text_equal(name, "--ready-fd")) options.ready_fd = static_cast<int>(Scan(value).number());
    else if (text_equal(name, "--hold-fd")) hold_on(static_cast<int>(Scan(value).number()));
    else if (text_equal(name, "--arrival")) options.arrival = value;
    else if (text_equal(name, "--vdso")) options.vdso = value;
    else if (text_equal(name, "--map")) add_map(value);
    else if (text_equal(name, "--env") || text_equal(name, "--unset")) add_environment(value);
    else give_up(Error::kBadArgument, name, "unknown option");
  }
  if (!options.image || !options.core_count || !options.job || !options.run_directory)
    give_up(Error::kBadArgument, "mig-restart",
            "it is called by `mig restart` and wants --image, --job, --run-dir and process files");
}

const char* mapped_path(const char* path, char* buffer, size_t size) {
  const PathMap* best = nullptr;
  for (int i = 0; i < options.map_count; ++i) {
    const PathMap& m = options.maps[i];
    size_t n = text_length(m.from);
    if (!text_starts(path, m.from) || (path[n] && path[n] != '/' && m.from[n - 1] != '/')) continue;
    if (!best || n > text_length(best->from)) best = &m;
  }
  if (!best) return path;
  Text(buffer, size) << best->to << path + text_length(best->from);
  return buffer;
}

}  // namespace mig
