// The executable of a restarted process, as others see it.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace mig {

/// True: the kernel takes the process for the stub, and `buffer` has the path of its own executable.
bool restored_executable(int32_t real_process, char* buffer, size_t size);

}  // namespace mig
