// inotify: the same watches under the same numbers.
#pragma once
#include "restore/description.h"

namespace mig {

void open_inotify(PreparedDescription& p);
void settle_inotify(PreparedDescription& p, int fd);

}  // namespace mig
