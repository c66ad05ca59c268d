// The multicast groups that a socket has joined.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool save_memberships(Saving& saving, const OpenDescription& d);

}  // namespace mig
