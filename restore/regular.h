// Regular files, with and without a name; memfds; directories; whatever is simply opened by its path.
#pragma once
#include "restore/description.h"

namespace mig {

void open_regular(PreparedDescription& p);
void finish_regular(PreparedDescription& p);
void open_memfd(PreparedDescription& p);
void finish_memfd(PreparedDescription& p);
void open_directory(PreparedDescription& p);
void open_by_path(PreparedDescription& p);
void finish_position(PreparedDescription& p);

}  // namespace mig
