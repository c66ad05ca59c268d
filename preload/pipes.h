// Pipes and FIFOs.
#pragma once
#include "preload/description.h"

namespace mig {

bool save_pipe(Saving& saving, OpenDescription& d);

}  // namespace mig
