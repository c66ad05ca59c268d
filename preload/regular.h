// Regular files, with and without a name; memfds; directories; files of /proc and /sys.
#pragma once
#include "preload/description.h"

namespace mig {

bool enter_regular(OpenDescription& d);
bool save_regular(Saving& saving, OpenDescription& d);
bool save_directory(Saving& saving, OpenDescription& d);

}  // namespace mig
