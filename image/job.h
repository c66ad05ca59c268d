// The job's shared control block: one small file per job, mapped by every member and by `mig` while it works.
//
// This is how a request reaches a running program without a port, a coordinator or a descriptor: `mig` maps the
// file, fills in `request`, and sends MIG_SIGNAL to a member; the member that handles it moves `phase` along and both
// sides wait on it with futex(2) (shared, so it works between processes that map the same file).
//
// Where: $MIG_RUN, else $XDG_RUNTIME_DIR/mig, else /tmp/mig-UID (0700, owned by the user). File: JOB.job.
// A member that ends removes its entry; the last one removes the file; what a kill -9 left behind, `mig` removes
// when it lists (member_alive compares the start time, so a reused pid is no member).
//
// A job of several processes is checkpointed at one cut (docs/trees.md): the member that has the request leads it.
// It signals all others, waits until every one stands still, and moves `cut.step` along; the others follow and report
// in their own entries. After a restart all members meet once more (`rebirth`) before any of them runs.
#pragma once
#include <stdint.h>

#include "image/ids.h"

namespace mig {

constexpr char kJobMagic[8] = {'M', 'I', 'G', 'J', 'O', 'B', '0', '3'};
constexpr int kMaxMembers = 4096;
constexpr int kNamespaces = 8;
constexpr int kDefaultSignal = 64;  ///< SIGRTMAX; MIG_SIGNAL changes it

/// si_value of a signal that mig sends with a request. When no request is there any more, mig has withdrawn it: the
/// signal then means nothing (one without this value asks for a checkpoint all by itself).
constexpr int kRequestValue = 0x4d494751;
/// si_value of a signal by which the leader of a cut stops another member.
constexpr int kCutValue = 0x4d494743;

enum class Phase : uint32_t {
  kIdle = 0,
  kRequested = 1,  ///< by mig, before the signal
  kStopping = 2,   ///< the member has the request and stops its threads
  kSaving = 3,     ///< `progress` grows
  kWritten = 4,    ///< complete in `partial`, not yet published; mig syncs, renames and answers with kPublished
  kPublished = 5,  ///< set by mig (or by the member itself when nobody waits)
  kDone = 6,       ///< the program runs again (or has ended, with kRequestKill)
  kFailed = 7,     ///< the program runs as if nothing had been asked; `code` and `message` say why
};

constexpr uint32_t kRequestKill = 1;    ///< end the job once the image is published
constexpr uint32_t kRequestCheck = 2;   ///< only report what blocks; nothing is written
constexpr uint32_t kRequestStream = 4;  ///< `images` is mig's own directory, with a socket (image/stream.h)

struct JobRequest {
  uint32_t phase;            ///< Phase; futex word
  int32_t requester;         ///< real pid of the mig that waits, 0: none. Claimed by compare-and-swap
  uint64_t requester_start;  ///< its start time (field 22 of /proc/PID/stat)
  uint32_t flags;
  uint32_t code;      ///< error number N of MIGN, 0: none
  uint64_t number;    ///< counts requests
  uint64_t progress;  ///< bytes written so far
  int64_t limit;      ///< for stopping the threads; 0: default
  int64_t stopped;    ///< how long the program stood still
  int64_t total;      ///< from the signal to kWritten
  uint64_t bytes;
  uint32_t processes;
  int32_t target_tid;     ///< real tid that the signal was sent to, 0: the process
  int64_t target_call;    ///< system call it was blocked in just before (/proc/PID/task/TID/syscall), or -1
  uint64_t target_pc;     ///< and its program counter
  char images[4096];      ///< directory to write into; empty: the job's
  char partial[4096];     ///< out: the directory being written
  char image[4096];       ///< out: the name under which it is (to be) published
  char message[1024];     ///< out: object, cause, remedy
  uint32_t handed_over;   ///< 1: the other side of a move may run it already: nobody but mig ends the wait in kWritten
  uint32_t taker;         ///< index in members[] plus 1 of the member that has taken it, 0: none
  char destination[256];  ///< of that move: the host as ssh knows it
  char token[128];        ///< and what the other side calls this move
};

enum class CutStep : uint32_t {
  kNone = 0,
  kStopping = 1,   ///< every member stops its threads
  kSaving = 2,     ///< all stand still: every member writes its process file into `partial`
  kReturning = 3,  ///< the image is written, or `failed`: every member puts the signals back that it had taken out
  kOver = 4,       ///< the members run
  kEnding = 5,     ///< instead of kReturning: the image is published and the members end (kRequestKill)
};

/// One checkpoint of all members.
struct Cut {
  uint32_t number;   ///< counts cuts: what a member finds in its own entry tells whether it takes part in this one
  uint32_t step;     ///< CutStep, set by the leader; futex word
  uint32_t changes;  ///< grows when a member's `step` does; futex word for the leader
  uint32_t leader;   ///< its index in members[] plus 1, 0: none. Claimed by compare-and-swap
  uint32_t flags;    ///< kRequest*
  uint32_t failed;   ///< 1: `code` and `message` tell the first failure
  uint32_t code;     ///< error number
  uint32_t processes;
  uint64_t bytes;      ///< sum over the members
  int64_t limit;       ///< for stopping the threads
  char partial[4096];  ///< directory being written
  char message[1024];
};

constexpr uint32_t kMemberExecuting = 1;    ///< execve is under way: it must not be signalled and will enter again
constexpr uint32_t kMemberZombie = 2;       ///< restarts only: it has ended and nobody has waited for it
constexpr uint32_t kMemberStopped = 4;      ///< it was stopped (Ctrl-Z) when the cut began, was continued for it, and stops again
constexpr uint32_t kMemberAsked = 8;        ///< a request came while it executed: it asks itself again afterwards
constexpr uint32_t kMemberLeft = 16;        ///< it has ended; the entry waits for its children to enter
constexpr uint32_t kMemberStops = 32;       ///< it stops again at the end of the cut
constexpr uint32_t kMemberLandlocked = 64;  ///< it has restricted itself by Landlock, or a process that it comes from has
constexpr uint32_t kMemberFixedParent =
    128;  ///< its parent is outside the job: `vppid` is the number of the one that it had at first
constexpr uint32_t kMemberUntoldUnit = 1 << 8;
constexpr uint32_t kMemberUntold =
    0x7f * kMemberUntoldUnit;                  ///< signal that stopped or continued it, and that its parent has not waited for
constexpr uint32_t kMemberConfined = 1 << 15;  ///< it has a seccomp filter of its own: a signal to it may be its end
constexpr uint32_t kMemberBirth =
    1 << 16;  ///< one child that it has forked, or is about to, and that has not entered; counts in the bits from here

/// A process of the job. The entry is claimed by compare-and-swap of `pid` and freed by setting it to 0; `start` is written last.
struct Member {
  int32_t pid;  ///< real; 0: free entry
  int32_t vpid, vppid, vpgid, vsid;
  uint32_t flags;     ///< kMember*
  uint64_t start;     ///< what started later is another process: field 22 of /proc/PID/stat, or when it entered, which costs less
  uint64_t progress;  ///< number of the cut that it takes part in << 32 | the last CutStep of it that it has done
  int32_t target_tid;   ///< real tid that the leader's signal went to, 0: the process
  int32_t asked;        ///< kMemberAsked: si_value of that request
  int64_t target_call;  ///< system call that thread was blocked in just before, or -1
  uint64_t target_pc;   ///< and its program counter
};

/// Where restarted members meet: each adds 1 to `arrived[step]` and waits until it is `expected`, or `failed` is set.
enum class RebirthStep : uint32_t {
  kChecked = 0,   ///< every process exists and nothing of the image speaks against a restart; nothing has changed yet
  kRestored = 1,  ///< memory, descriptors and threads are there (stub)
  kKnown = 2,     ///< every member has entered its ids (library); after it the program runs
};
struct Rebirth {
  uint32_t expected;    ///< processes with a file of their own
  uint32_t arrived[3];  ///< futex words
  uint32_t failed;      ///< 1: give up; whoever sets it has told the user why
  uint32_t reserved;
};

/// Descriptors that lead outside the job, as those who started it gave them.
constexpr uint32_t kMaxOutside = 67;
struct Outside {
  uint32_t count;
  uint32_t reserved;
  struct {
    uint64_t device, inode;
  } entry[kMaxOutside];
};

/// What a member needs no earlier than at its first checkpoint.
struct Settings {
  int64_t stop_limit;  ///< nanoseconds
  int64_t period;      ///< MIG_EVERY, nanoseconds
  char cpu_level[32];
  Outside outside;
  uint32_t keeper;  ///< index of the member whose timer asks for the checkpoints at intervals
  uint32_t reserved;
};

/// The start of a program and the birth of a process touch the first page only: what they need stands first, the members beside it.
struct Job {
  char magic[8];
  uint32_t version;
  int32_t signal;
  uint32_t member_count;    ///< entries in use or used before
  uint32_t generation;      ///< 0: never restarted, so `ids` is empty
  int64_t last_checkpoint;  ///< CLOCK_REALTIME, 0: never
  char name[64];
  uint32_t keep;  ///< --keep K, 0: all
  uint32_t over;  ///< 1: the last member has left and removes the file
  Rebirth rebirth;
  Member members[kMaxMembers];
  Cut cut;
  JobRequest request;
  char images[4096];  ///< default image directory, absolute
  IdSpace ids;
  Settings settings;
  uint64_t namespaces[kNamespaces];  ///< inodes of those that its first process was in, 0: unknown (preload/job/namespaces.cpp)
};

}  // namespace mig
