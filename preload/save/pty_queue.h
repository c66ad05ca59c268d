// What waits in a pseudo-terminal of the job to be read, by either side.
#pragma once
#include "preload/save/description.h"

namespace mig {

/// `d`: the master. Tells in its record how the pair stands. Everything is taken out and put back: for a moment
/// the terminal has other settings.
bool save_pty_queues(Saving& saving, OpenDescription& d, bool has_slave, bool (*save_settings)(Saving&, OpenDescription&));

}  // namespace mig
