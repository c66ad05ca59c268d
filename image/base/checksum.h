// XXH3, compiled in: the checksum of every block of an image (https://github.com/Cyan4973/xxHash).
#pragma once
#define XXH_INLINE_ALL
#define XXH_NO_STDLIB
#include <xxhash.h>

namespace mig {

inline unsigned long checksum(const void* data, unsigned long size) {
  return XXH3_64bits(data, size);
}

}  // namespace mig
