// manifest.json: what an image is, for tools and people (docs/image.md).
#pragma once
#include <stdint.h>

namespace mig {

/// A member that does not lead: leaves in the shared table what the manifest says of it. `bytes`: of its process file.
bool leave_member_part(uint64_t bytes);

/// The leader: takes those parts and writes the manifest into the open image directory. `bytes`: of the process file; `stopped`: so far, nanoseconds.
bool write_manifest(int directory, uint64_t bytes, int64_t stopped);

}  // namespace mig
