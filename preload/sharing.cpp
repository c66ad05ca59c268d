// Every process is restored by itself: two that shared their descriptors (CLONE_FILES) or their directories and umask (CLONE_FS) would
// come back with copies. kcmp(2) tells. One that may not be looked into belongs to somebody else, and has nothing of ours.
#include "preload/sharing.h"

#include <linux/kcmp.h>

#include "image/base/text.h"
#include "preload/shared.h"
#include "preload/state.h"

namespace mig {
namespace {

struct Table {
  int type;
  const char* name;
};
constexpr Table kTables[] = {{KCMP_FILES, "table of descriptors"}, {KCMP_FS, "working directory and umask"}};

}  // namespace

bool shares_no_tables() {
  for (const Table& t : kTables) {
    long sharer = sharer_of_table(t.type);
    if (!sharer) continue;
    char object[128], cause[128];
    Text(object) << "the " << t.name << " of process " << state.vpid;
    if (sharer < 0) return refuse_errno(Error::kPendingLost, object, "compare it with another process's (kcmp)", sharer);
    Text(cause) << "process " << sharer << " shares it (clone), and would come back with a copy";
    return refuse(Error::kUnsupportedSetting, object, cause);
  }
  return true;
}

}  // namespace mig
