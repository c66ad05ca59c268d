// The first steps of a restarted process, while its other threads still wait.
#pragma once

namespace mig {

/// `state.resume` has been filled in by the stub.
void come_back();

}  // namespace mig
