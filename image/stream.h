// An image that goes away while it is written: to another host, through no file.
//
// `mig` listens on a unix socket of this name in the directory of images that it names in its request. Whoever writes a
// file of the image connects to it, sends a StreamHead and then the file's bytes; the end of the connection is the
// end of the file. Many may write at the same time.
//
// Bytes are sent in the order in which they are known: a process file begins at `start`, and what belongs in front of that
// comes last.
#pragma once
#include <stdint.h>

namespace mig {

constexpr char kStreamSocket[] = ".stream";

struct StreamHead {
  char name[56];   ///< within the image: "VPID.core", "files/VPID.n", "manifest.json"
  uint64_t start;  ///< offset of the first byte; as many bytes at the end belong at offset 0
};

}  // namespace mig
