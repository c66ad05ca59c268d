// A restart that stops at the last moment and asks whether it may (mig move): all is restored, nothing runs yet.
//
// The holder's end of the socket tells both ways: a holder that dies, or closes it without a word, ends the restart.
#pragma once

namespace mig {

/// --hold-fd: failures are told there from now on, and so is that the program runs.
void hold_on(int fd);
/// The first process, when all others have come to kRestored and wait there for it: says that everything is restored and waits
/// for the word. Then makes the file of --arrival: it tells, also after the holder and
/// the program have ended, that the program was let go here.
void wait_for_go();

}  // namespace mig
