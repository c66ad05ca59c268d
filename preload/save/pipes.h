// Pipes and FIFOs.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool enter_pipe(const OpenDescription& d);
bool save_pipe(Saving& saving, OpenDescription& d);

}  // namespace mig
