// A carried file, files/VPID.n of an image: the contents of a file that has no name any more.
//
// A sequence of extents, each a header and its bytes, in order of offset, until the end of the file. Holes are
// what lies between them: they cost nothing, also after a copy by a tool that knows no holes. The checksum of the
// whole stands in the manifest and in the ContentsRecord, the file's length in the latter.
#pragma once
#include <stdint.h>

namespace mig {

struct CarriedExtent {
  uint64_t offset, size;
};

constexpr uint64_t kInlineContents = 32 << 10;  ///< up to here the bytes stand in the record itself

}  // namespace mig
