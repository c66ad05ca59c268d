// A device number as stat(2) tells it, from its parts as /proc/self/maps does.
#pragma once
#include <stdint.h>

namespace mig {

/// `parts`: major << 32 | minor, as in MappingRecord.
constexpr uint64_t stat_device(uint64_t parts) {
  uint64_t major = parts >> 32, minor = parts & 0xffffffff;
  return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffUL) << 12 | (major & ~0xfffUL) << 32;
}

}  // namespace mig
