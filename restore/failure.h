// How a restart gives up: one sentence on stderr and the exit code that belongs to it. Until the commit point nothing
// of the user's has been changed, so giving up is always safe. A restart that is held (restore/hold.h) says it there.
#pragma once
#include "image/base/error_text.h"
#include "image/base/text.h"
#include "image/errors.h"

namespace mig {

/// From now on messages go there, not to stderr.
void send_messages(int fd);
/// They go on even when all descriptors are the program's.
void keep_messages();
/// The restart has succeeded: nothing more is said.
void end_messages();

/// Prints `mig: OBJECT: CAUSE. REMEDY (MIGNNNN)` and ends the process.
[[noreturn]] void give_up(Error error, const char* object, const char* cause);
[[noreturn]] void give_up(Error error, const char* object, const char* action, long result);

/// A line on stderr that is no failure: what was decided about the user's files.
void tell(const char* object, const char* what);

}  // namespace mig
