// Signals that are pending for the process or for a thread.
#pragma once
#include "preload/save/image_writer.h"
#include "preload/state.h"

namespace mig {

/// The calling thread's own, while it is being stopped.
void note_thread_signals(ThreadSlot* slot);
/// Puts them back, in the thread they belong to, and those that it is to take for the process.
void return_thread_signals(ThreadSlot* slot);

/// What rt_sigpending(2) says, without the signals that are ours.
uint64_t pending_signals();
/// The same, but without those of the process that another thread will take.
uint64_t pending_for_this_thread();

/// The process's: taken by the leader while all threads stand still.
void note_process_signals();
void return_process_signals();
bool save_pending_signals(ImageWriter& writer);

/// Why a queue could not be noted, or nullptr.
bool pending_signals_lost();

/// Signals of the program's are pending for this thread alone.
bool thread_has_signals(int32_t tid);

/// Which signals are pending for thread `tid` alone, and for the process (/proc/self/task/TID/status).
struct PendingSets {
  uint64_t thread, process;
};
PendingSets pending_sets(int32_t tid);

}  // namespace mig
