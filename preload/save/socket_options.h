// The options of a socket that the kernel takes back as it tells them.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool save_socket_options(Saving& saving, const OpenDescription& d);

}  // namespace mig
