// `mig check`: what a checkpoint would make of this process, without making one.
#pragma once

namespace mig {

/// Writes VPID.check into the directory, one line per finding: verdict, object, reason, separated by tabs.
bool write_check(int directory);

}  // namespace mig
