// The program's limit on the size of files (RLIMIT_FSIZE), which holds for ours too.
#pragma once
#include <stdint.h>

namespace mig {

/// Beyond the limit the kernel sends SIGXFSZ as well, and the write was ours, not the program's. The signal is blocked.
void discard_file_size_signal();

/// Makes a file of ours as large as `size`, beyond the soft limit if need be. Result: the kernel's convention.
long size_own_file(int fd, uint64_t size);

}  // namespace mig
