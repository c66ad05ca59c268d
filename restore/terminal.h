// Terminals: the restart's own in place of the one that the program had, and pseudo-terminals.
#pragma once
#include "restore/description.h"

namespace mig {

void open_terminal(PreparedDescription& p);
void open_pseudo_terminal(PreparedDescription& p);
/// Settings that the program had made; SIGWINCH if the new terminal has another size.
void finish_terminal(PreparedDescription& p);

/// A master: what waited in the pair to be read. All settings are made.
void refill_pseudo_terminal(PreparedDescription& p, int fd);

/// A session leader takes the slave that was `device` as its controlling terminal, if it is open by now: right after it has
/// founded the session, so that whoever is born in it has the terminal too.
void take_terminal(int32_t device);
/// The group that was in the foreground of the session's terminal is again. Descriptions are open and groups exist.
void restore_foreground();

}  // namespace mig
