// `mig check`: what a checkpoint would make of this process, without making one.
#pragma once

namespace mig {

/// Writes check.txt into the directory of the request, one line per finding: verdict, object, reason, separated by tabs.
bool write_check();

}  // namespace mig
