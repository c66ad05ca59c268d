// Stopping every thread of the process, and letting them go.
#pragma once
#include "preload/state.h"

namespace mig {

constexpr int kStopSignal = 33;  ///< SIGSETXID of glibc

/// Installs the handler of MIG_SIGNAL by the raw system call (the wrappers hide it from the program).
void install_handler();

/// Stops all other threads. False: `state.failure` says why, and every thread runs again.
bool stop_threads();

/// Takes the requests out of the queue of the process, so that none of its threads is woken for them. Those that came before
/// everybody stood still are `answered` by this checkpoint; of others that say the same one is left.
void gather_requests(bool answered);
/// Signals that other processes sent to stopped threads before those processes stood still: each thread notes its own.
void note_late_signals();
/// All threads put back the signals that they have taken, before any thread or process runs: later ones come behind them.
void return_signals_of_threads();

/// Lets the stopped threads go on. The stop is over when the leader has left its handler.
void release_threads();

}  // namespace mig
