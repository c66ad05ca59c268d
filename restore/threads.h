// Threads: created again, given what the kernel keeps beside their memory, and released together.
#pragma once
#include <stdint.h>

namespace mig {

/// Creates every thread of the image but the main one. They wait.
void create_threads();

/// Releases all threads; the calling (main) thread goes on as the image's main thread. Does not return.
[[noreturn]] void release_all_threads();

}  // namespace mig
