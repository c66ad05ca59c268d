// Every process is restored by itself: two that shared their descriptors (CLONE_FILES) or their directories and umask (CLONE_FS) would
// come back with copies. kcmp(2) tells. One that may not be looked into belongs to somebody else, and has nothing of ours.
#include "preload/sharing.h"

#include <linux/kcmp.h>

#include "image/base/text.h"
#include "preload/state.h"

namespace mig {
namespace {

struct Table {
  int type;
  const char* name;
};
constexpr Table kTables[] = {{KCMP_FILES, "table of descriptors"}, {KCMP_FS, "working directory and umask"}};

bool has_own_tables(const Member& other) {
  int32_t pid = __atomic_load_n(&other.pid, __ATOMIC_ACQUIRE);
  long self = sys(__NR_getpid);
  if (pid <= 0 || pid == self || (other.flags & kMemberZombie)) return true;
  for (const Table& t : kTables) {
    if (sys(__NR_kcmp, self, pid, t.type, 0, 0) != 0) continue;
    char object[128], cause[128];
    Text(object) << "the " << t.name << " of process " << state.vpid;
    Text(cause) << "process " << other.vpid << " shares it (clone), and would come back with a copy";
    return refuse(Error::kUnsupportedSetting, object, cause);
  }
  return true;
}

}  // namespace

bool shares_no_tables() {
  for (uint32_t i = 0; state.job && i < state.job->member_count && i < kMaxMembers; ++i)
    if (!has_own_tables(state.job->members[i])) return false;
  return true;
}

}  // namespace mig
