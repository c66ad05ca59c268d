// Contents that travel in the image: of pipes and sockets, and of files that have no name any more.
#pragma once
#include "preload/save/description.h"

namespace mig {

/// At the beginning of a checkpoint.
void forget_contents();

/// Bytes that belong to the description written last (one message, where there are messages).
bool save_bytes(Saving& saving, const OpenDescription& d, const void* data, size_t size);

/// The whole of a file, which `fd` (readable) refers to.
bool save_file_contents(Saving& saving, const OpenDescription& d, int fd);

/// A file that stands beside the process files in the image.
struct CarriedFile {
  uint32_t number;  ///< files/VPID.number
  uint64_t bytes, checksum;
};
const CarriedFile* carried_files(size_t& count);

}  // namespace mig
