// What the library knows while it lives inside a program: one structure, private to libmig.so.
#pragma once
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "image/base/arena.h"
#include "image/errors.h"
#include "image/job.h"
#include "image/records.h"
#include "image/resume.h"

namespace mig {

/// The blocking system call that a thread was seen in just before it was stopped (/proc/PID/task/TID/syscall).
struct BlockedCall {
  int64_t number;  ///< -1: running or unknown
  uint64_t args[6];
  uint64_t stack_pointer, program_counter;
};

/// Signals taken out of one of the kernel's queues (preload/stop/pending.cpp).
struct SignalQueue {
  siginfo_t* at;
  uint32_t count, capacity;
};

/// Where and when a signal of ours came upon a thread.
struct Interruption {
  ucontext_t* frame;
  BlockedCall blocked;
  int64_t at;           ///< by the program's CLOCK_MONOTONIC
  uint64_t generation;  ///< in which it came
};

/// One stopped thread: its record for the image. Below it in the same memory is the small stack on which it waits.
struct alignas(64) ThreadSlot : Interruption {
  ThreadRecord record;
  int32_t real_tid;
  int32_t stopped_tid;  ///< real_tid when it was stopped
  uint32_t dead;        ///< the main thread after pthread_exit
  uint32_t back;        ///< brought back by a restart
  SignalQueue pending;  ///< of this thread alone
  uint64_t rights;      ///< what this thread may (preload/save/thread_rights.h)
  uint32_t
      look_again;  ///< what it is to do with its signals while it stands still (preload/stop/stop.cpp), 0: nothing; futex word
};
constexpr size_t kSlotSize = 12 << 10;
constexpr size_t kLeaderStack = 512 << 10;

/// kLeaving: the threads go on, the leader is not through or still on its stack; the next stop must wait.
/// kExecuting: a thread is about to become another program, or the process to end: no stop may begin (preload/stop/stop_claim.h).
enum StopState : uint32_t { kRunning, kStopping, kExecuting, kLeaving = ~0u };

/// Why a checkpoint did not happen: the number and the one sentence for the user.
struct Failure {
  Error error;
  char message[900];
};

/// Every start of a program and every fork writes to the first part: it should lie in one page.
struct State {
  int32_t vpid, vppid;   ///< of this process, for life
  bool active;           ///< the constructor is through
  int signal;            ///< MIG_SIGNAL
  uint32_t stop;         ///< StopState; futex word on which stopped threads wait
  uint64_t stop_number;  ///< counts stops, so that a late stop signal is recognised
  uint32_t claimed;      ///< slots given out in this stop
  uint32_t parked;       ///< threads waiting; futex word for the leader
  uint32_t returned;     ///< threads that a restart has brought back into their wait
  uint32_t left;         ///< threads that have gone on after the stop
  uint32_t slot_count;
  char* slots;  ///< slot_count * kSlotSize: a stack, and a ThreadSlot at its upper end; then the tids of threads that bounced
  int32_t leader_tid;  ///< real
  uint32_t bounced;    ///< threads that may not be stopped where they are, since the stop began
  uint64_t generation;
  int64_t period;        ///< MIG_EVERY, nanoseconds; 0: only on request
  int32_t period_timer;  ///< kernel's timer id, -1: none
  Job* job;              ///< mapped while the job lives
  int32_t member;        ///< index in Job::members
  uint32_t keep;
  const char* library;  ///< path of libmig.so
  char job_name[64];
  char run_directory[256];
  char cpu_level[32];
  int32_t dumpable;       ///< as the program set it, noted for the length of a checkpoint
  int32_t standard_kept;  ///< bits 0..2: standard stream that led outside at the start
  uint64_t standard_inode[3], standard_device[3];
  int32_t standard_fd[3];               ///< a descriptor that is that stream
  int32_t standard_saved;               ///< bits: those that the image being written has
  uint32_t inherited_count;             ///< other descriptors that led outside at the start
  uint64_t vdso_start, vdso_end;        ///< of the running kernel
  uint64_t first_vdso, first_vdso_end;  ///< the one that libc knows, since the program's start
  int64_t stop_limit;                   ///< nanoseconds
  bool small_alternate_stack;           ///< the program has one that two signal frames do not fit on
  bool tiny_alternate_stack;            ///< not even one: ours must not be put there
  bool late;                            ///< what only a checkpoint needs has been learnt (preload/late.h)
  bool landlocked;                      ///< Landlock restricts a thread of it: the kernel will not tell (preload/job/job.h)
  // What few processes touch.
  struct {
    uint64_t device, inode;
  } inherited[64];
  char images[4096];
  char executable[4096];  ///< /proc/thread-self/exe in the first generation
  Failure failure;
  ResumeInfo resume;
};

extern State state;

inline ThreadSlot* slot_at(uint32_t index) {
  return reinterpret_cast<ThreadSlot*>(state.slots + (index + 1) * kSlotSize) - 1;
}

/// Sets the failure and returns false, so that a step can `return refuse(...)`.
bool refuse(Error error, const char* object, const char* cause);
bool refuse_errno(Error error, const char* object, const char* action, long result);

}  // namespace mig
