// Terminals: the restart's own in place of the one that the program had, and pseudo-terminals.
#pragma once
#include "restore/description.h"

namespace mig {

void open_terminal(PreparedDescription& p);
void open_pseudo_terminal(PreparedDescription& p);
/// Settings that the program had made; SIGWINCH if the new terminal has another size.
void finish_terminal(PreparedDescription& p);

/// A session leader takes its controlling terminal again, and the group that was in its foreground is again. The descriptions are
/// open and the groups exist.
void take_terminal();

}  // namespace mig
