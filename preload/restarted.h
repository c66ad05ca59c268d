// The first steps of a restarted process, while its other threads still wait.
#pragma once

namespace mig {

/// `state.resume` has been filled in by the stub.
void come_back();
/// Everything is as it was: waits for the other members, and tells whoever waits for the restart.
void begin_life();

}  // namespace mig
