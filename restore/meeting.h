// Where the processes of a job meet while they are made, and how they end together when one of them cannot go on.
//
// All wait in shared memory: for the steps of birth in pages of the stub's own, then in the job's control block
// (Rebirth, image/job.h). The first process looks whether all others live, they look whether it does. The first failure is
// told, and ends everybody: the first process kills and reaps the others, and ends with that failure's exit status.
#pragma once
#include "image/job.h"
#include "restore/lineage.h"

namespace mig {

/// The steps of birth. Every process counts: members, zombies and helpers.
enum class BirthStep {
  kBorn,      ///< all exist, and lead the sessions and groups that they are to lead
  kCaught,    ///< whoever adopts orphans is ready to; the numbers are in the job's table
  kJoined,    ///< all but those who lead one group and are in another are in their groups
  kSettled,   ///< these too: helpers and zombies end
  kLoaded,    ///< members only, from here on: memory and threads are there, and no file has been touched yet
  kFinished,  ///< what changes something outside is done: sockets have their paths, and listen
};

/// Before the first fork.
void open_meeting(Job* job, const Lineage& lineage);
/// In each process as soon as it exists: `self` is its index in the lineage.
void enter_meeting(int32_t self);
/// The same by whoever has made it, since it may be killed before.
void enter_newborn(int32_t birth, int32_t pid);
/// In a process that is only a step between two others.
void leave_meeting();
/// The job's first process, which became of the restart itself.
bool is_first_process();
/// The kernel's number of a process that has entered.
int32_t real_number(int32_t birth);

void meet(BirthStep step);
/// Waits without taking part.
void await(BirthStep step);
void meet(RebirthStep step);
/// Waits until all others are there, and looks whether they still live.
void await_others(RebirthStep step);

/// What the processes do one after the other: waits until `turn` turns are over; ends this one.
void await_turn(uint32_t turn);
void end_turn();

/// The moment from which all members count on, the same in all of them: that of the first who asks.
struct Clocks {
  int64_t monotonic, boottime;
};
Clocks common_clocks();

/// Waits a moment for something that another process is about to do; gives up when it has waited too long, or another has failed.
class Patience {
 public:
  explicit Patience(const char* what) : what_(what) {}
  void wait();

 private:
  const char* what_;
  int slices_ = 0;
};

/// False when another process has failed before: its failure is told already. `status`: exit status of the whole restart.
bool claim_failure(int status);
/// Ends this process; the first one ends all others before.
[[noreturn]] void end_restart(int status);

}  // namespace mig
