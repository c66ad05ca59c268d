// What a thread is made of, seen by the thread itself while it is stopped.
#pragma once
#include "preload/state.h"

namespace mig {

/// Fills in `slot->record` for the calling thread; `slot->frame` is set.
void describe_thread(ThreadSlot* slot);

/// For a main thread that has ended by pthread_exit while others live on.
void describe_dead_thread(ThreadSlot* slot);

/// In a thread that a restart has brought back, once the new ids are known.
void thread_came_back(ThreadSlot* slot);

/// Makes the thread's frame ready for its rt_sigreturn: the interrupted system call goes on.
void resume_thread(ThreadSlot* slot);

/// Finds out, at start, where libc keeps what the kernel will not tell: the rseq area.
void learn_thread_layout();

}  // namespace mig
