// Where the bytes of an image's files go: into a file, or to mig (image/stream.h).
#pragma once
#include <stdint.h>

namespace mig {

/// Makes the file `name` of the image whose partial directory is open. Returns a descriptor to write to, or a negative error
/// number. `start`: the writer leaves that many bytes out and gives them at the end; see finish_image_file().
long create_image_file(int directory, const char* name, uint64_t start = 0);

/// The bytes that were left out at the beginning. Returns 0 or a negative error number.
long finish_image_file(int fd, const void* data, uint64_t start);

}  // namespace mig
