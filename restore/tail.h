// What was written to a file after the checkpoint: kept beside it when the file is cut back.
#pragma once
#include "restore/description.h"

namespace mig {

/// Before the commit: copies the tail into a file without a name; gives up if there is no place for it.
void prepare_tail(PreparedDescription& p, const char* path);
/// At the commit: gives the tail its name and cuts the file back.
void cut_back(PreparedDescription& p);

}  // namespace mig
