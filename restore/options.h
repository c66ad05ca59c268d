// What `mig restart` asks of the stub.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace mig {

constexpr int kMaxMaps = 64;

struct PathMap {
  const char* from;
  const char* to;
};

struct Options {
  const char* image;   ///< directory
  const char** cores;  ///< process files in it, the first process's first
  int core_count;
  const char* job;
  const char* run_directory;
  int ready_fd;         ///< -1: none; one byte is written when every process is about to run
  const char* arrival;  ///< with --hold-fd: a file to make when the program is let go (restore/hold.h), or nullptr
  const char* vdso;     ///< for tests: a file to take for the kernel's vDSO (restore/vdso.h), or nullptr
  PathMap maps[kMaxMaps];
  int map_count;
  const char* environment[kMaxMaps];  ///< K=V to set, K to remove
  int environment_count;
};

extern Options options;

/// Reads the arguments into `options`; gives up on what it does not know.
void read_options(char** argv);

/// `path` with the longest matching --map OLD=NEW applied, once, into `buffer`.
const char* mapped_path(const char* path, char* buffer, size_t size);

}  // namespace mig
