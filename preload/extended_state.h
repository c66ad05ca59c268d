// The CPU's layout of extended state, for a restart on another CPU.
#pragma once
#include "preload/save/image_writer.h"

namespace mig {

bool save_extended_state(ImageWriter& writer);

/// The CPU and the kernel have memory protection keys (pkeys(7)).
bool has_protection_keys();

}  // namespace mig
