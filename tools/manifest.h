// manifest.json, the table of contents of an image, and how an image is found by path.
#pragma once
#include <stdint.h>

#include <string>
#include <vector>

namespace mig {

struct ManifestProcess {
  int vpid = 0, vppid = 0, vpgid = 0, vsid = 0, threads = 0;
  uint64_t bytes = 0;
  std::string core, executable;
  std::vector<std::string> command;
};

struct ManifestFile {
  std::string name;
  uint64_t bytes = 0, checksum = 0;
};

struct Manifest {
  int format = 0;
  uint64_t generation = 0, bytes = 0, page_size = 0, xstate_bytes = 0;
  int64_t created = 0;
  double stopped_ms = 0;
  std::string job, host, kernel, machine, cpu_level, version;
  std::vector<std::string> features, required;
  std::vector<ManifestProcess> processes;
  std::vector<ManifestFile> files;
};

/// The image's directory, without symbolic links: of an image, of a directory of images (its `latest`), or of
/// a link to either. Throws kNoImage.
std::string resolve_image(const std::string& path);

/// Reads and verifies it. Throws kTruncated, kChecksum, kVersion or kArchitecture.
Manifest read_manifest(const std::string& image);

}  // namespace mig
