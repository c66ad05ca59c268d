// Directories of /proc read by number.
#pragma once
#include <stddef.h>

namespace mig {

/// getdents64(2) by the kernel's convention, with the numbers that the program knows.
long list_directory(int directory, void* buffer, size_t size);

}  // namespace mig
