// Signal dispositions.
#pragma once

namespace mig {

void restore_signal_actions();

}  // namespace mig
