// Pipes and FIFOs.
#pragma once
#include "restore/description.h"

namespace mig {

void open_pipe(PreparedDescription& p);
void open_fifo(PreparedDescription& p);
void finish_fifo(PreparedDescription& p);

}  // namespace mig
