// What is learnt only when the first checkpoint comes: most processes end without one.
#pragma once

namespace mig {

/// By the leader of a stop; does nothing the second time.
void learn_late();

/// What the job's first program was told, out of the control block.
void learn_settings();
/// /proc/thread-self/exe as it is called now.
void note_executable();

}  // namespace mig
