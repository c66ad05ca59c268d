// Processes that share a table are found with kcmp(2), in the table of shared things. The first of them to come saves it; the
// others name that one in their records, and are given the same table at the restart by being cloned with it.
#include "preload/job/sharing.h"

#include <linux/kcmp.h>

#include "preload/job/shared.h"
#include "preload/state.h"

namespace mig {
namespace {

bool borrows;

}  // namespace

bool claim_tables(ProcessRecord& p) {
  int32_t files = 0, directory = 0;
  borrows = false;
  if (!claim_table(KCMP_FILES, files) || !claim_table(KCMP_FS, directory)) return false;
  borrows = files != state.vpid;
  if (borrows) p.files_vpid = files;
  if (directory != state.vpid) p.directory_vpid = directory;
  return true;
}

bool borrows_descriptors() {
  return borrows;
}

}  // namespace mig
