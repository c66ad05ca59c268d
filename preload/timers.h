// Interval timers and POSIX timers.
#pragma once
#include "preload/image_writer.h"

namespace mig {

bool save_timers(ImageWriter& writer);

}  // namespace mig
