// Contents that travel in the image: of pipes and sockets, and of files that have no name any more.
#pragma once
#include "preload/description.h"

namespace mig {

/// At the beginning of a checkpoint.
void forget_contents();

/// Bytes that belong to the description written last (one message, where there are messages).
bool save_bytes(Saving& saving, const OpenDescription& d, const void* data, size_t size);

/// The whole of a file, which `fd` (readable) refers to. A second description of the same file adds nothing.
bool save_file_contents(Saving& saving, const OpenDescription& d, int fd);

/// Did the contents of this object go into the image by way of a descriptor?
bool object_carried(uint64_t device, uint64_t inode);

/// A file that stands beside the process files in the image.
struct CarriedFile {
  uint32_t number;  ///< files/VPID.number
  uint64_t bytes, checksum;
};
const CarriedFile* carried_files(size_t& count);

}  // namespace mig
