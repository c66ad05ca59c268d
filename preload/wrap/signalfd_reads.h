// What a signalfd tells of a signal's sender, after a restart.
#pragma once

namespace mig {

/// The program has made one.
void note_signalfd();
/// After a restart.
void translate_signalfds();

}  // namespace mig
