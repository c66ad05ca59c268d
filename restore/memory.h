// Reloading memory: the mappings as they were, and their contents.
#pragma once
#include "restore/plan.h"

namespace mig {

/// Makes every mapping of the image and loads its pages. Everything but the stub's home is gone before.
void restore_memory(const Plan& plan);

}  // namespace mig
