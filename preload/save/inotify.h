// inotify: which watch is on which path.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool save_inotify(Saving& saving, OpenDescription& d);

}  // namespace mig
