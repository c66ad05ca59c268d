// Regular files, with and without a name; memfds; directories; files of /proc and /sys.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool enter_regular(OpenDescription& d);
bool save_regular(Saving& saving, OpenDescription& d);
bool save_directory(Saving& saving, OpenDescription& d);

/// Another name of a file in the directory of `path`, in scratch memory, or nullptr. `device`: as stat(2) tells it.
const char* other_name(const char* path, uint64_t inode, uint64_t device);

}  // namespace mig
