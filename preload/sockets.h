// Sockets: what each is, whom it is connected to, its options and what waits in it.
#pragma once
#include "preload/description.h"

namespace mig {

bool enter_socket(const OpenDescription& d);
bool save_socket(Saving& saving, OpenDescription& d);

}  // namespace mig
