// Sockets: what each is, whom it is connected to, its options and what waits in it.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool enter_socket(const OpenDescription& d);
bool save_socket(Saving& saving, OpenDescription& d);
/// Before a process that was saved ends: connections of this host to itself end without TIME_WAIT, which would keep their ports for
/// a minute from the restarted job.
void end_connections_at_once();

}  // namespace mig
