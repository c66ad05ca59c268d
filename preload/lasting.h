// Memory that the library keeps mapped while the program runs.
#pragma once
#include <stddef.h>

namespace mig {

/// Zero pages for as long as the process lives, or nullptr.
void* map_lasting_pages(size_t size);
/// The same, of a file that others map too. Result: the kernel's convention.
long map_lasting_file(int fd, size_t size);

}  // namespace mig
