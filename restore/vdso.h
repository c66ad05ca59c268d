// For tests: a vDSO from a file in place of the running kernel's.
#pragma once
#include <stdint.h>

namespace mig {

/// Maps the file as the kernel would (flat, read and execute) at an address that neither the image nor this process uses.
uint64_t map_made_up_vdso(const char* path);

}  // namespace mig
