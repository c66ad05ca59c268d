// One checkpoint, from the request to the program's next instruction.
#pragma once
#include <ucontext.h>

namespace mig {

/// Runs on the leader's stack, in the handler of the request signal, with `state.stop` already claimed.
void lead_checkpoint(ucontext_t* frame);

}  // namespace mig
