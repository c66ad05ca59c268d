// The program's limit on the size of files (RLIMIT_FSIZE), which holds for ours too.
#pragma once
#include <stdint.h>

namespace mig {

/// Makes a file of ours as large as `size`, beyond the soft limit if need be. Result: the kernel's convention.
long size_own_file(int fd, uint64_t size);

}  // namespace mig
