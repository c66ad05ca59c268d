// Terminals: the one the program runs on, others, and pseudo-terminals whose both sides it holds.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool is_terminal(const OpenDescription& d);
bool enter_terminal(const OpenDescription& d);
bool save_terminal(Saving& saving, OpenDescription& d);
/// Settings and size of the terminal behind the standard streams, for the one that takes its place.
bool save_terminal_settings(Saving& saving, OpenDescription& d);

}  // namespace mig
