// Who is to be born of whom, in which session and process group: the plan of every process that is made, besides those with
// a file: children that have ended (zombies), and helpers in the place of leaders that are gone.
//
// A process gets its session by birth or by founding one, so it must be born of somebody who is in that session at that moment:
//   of its parent, before the parent founds a session of its own (`early`) or after it;
//   of a sibling that leads the session (CLONE_PARENT makes a brother);
//   of the session's leader, by way of a process that ends at once: then it is an orphan.
// A session or group whose leader is gone is founded by a helper, which stays until everybody is in it.
#pragma once
#include "image/ids.h"
#include "restore/plan.h"

namespace mig {

enum class Role : uint8_t { kMember, kZombie, kHelper };
enum class Way : uint8_t { kChild, kSibling, kOrphan };

/// Who has the records of the descriptors, and of the directory and umask, that several processes share (restore/sharing.h); -1: nobody
/// else has them.
struct Tables {
  int32_t files, directory;
};

/// Births 0 to N - 1 are those of Plan::processes, with the same index.
struct Birth {
  Role role;
  Way way;
  bool early;         ///< while its creator has not yet founded its own session
  bool founds_group;  ///< there is somebody in the group that has its number
  bool subreaper;
  int32_t vpid, vpgid, vsid;
  int32_t terminal;     ///< device of its controlling terminal; 0: none
  int32_t exit_signal;  ///< as clone(2) takes it; 0: none
  int32_t session;      ///< in which it is born; 0: any
  int32_t parent;       ///< in the end; -1: outside the job
  int32_t creator;
  int32_t first_created, next_created;
  Tables own;       ///< that it has in the end
  Tables at_birth;  ///< that it shares with its creator when it is made
  int32_t status;   ///< kZombie: as wait(2) gives it
  char name[16];    ///< kZombie
};

struct Lineage {
  HomeArray<Birth> births;
  IdEntry group, session;  ///< outside the job: virtual and real; {0, 0}: the first process founds its own

  Birth& operator[](int32_t i) { return births[static_cast<size_t>(i)]; }
  int32_t size() const { return static_cast<int32_t>(births.size()); }
  bool leads_session(int32_t i) { return (*this)[i].vsid == (*this)[i].vpid; }
  /// Who has the number, or -1.
  int32_t find(int32_t vpid);
};

/// Gives up when the tree cannot be made.
void plan_births(const Plan& plan, Lineage& lineage);

}  // namespace mig
