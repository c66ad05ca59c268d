// Mutexes with priority inheritance, after a restart.
#pragma once

namespace mig {

/// Before the new ids are learnt: who holds what, by virtual ids. After it: the new real tids into the mutexes.
void note_pi_owners();
void renew_pi_owners();

}  // namespace mig
