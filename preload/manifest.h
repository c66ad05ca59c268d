// manifest.json: what an image is, for tools and people (docs/image.md).
#pragma once
#include <stdint.h>

namespace mig {

/// Writes the manifest into the open image directory. `bytes`: of the process file; `stopped`: so far, nanoseconds.
bool write_manifest(int directory, uint64_t bytes, int64_t stopped);

}  // namespace mig
