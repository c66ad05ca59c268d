// What belongs to the process as a whole: limits, settings, directories, credentials.
#pragma once

namespace mig {

/// Before anything is changed: may this user have what the process had?
void check_process();

/// Working directory, umask, settings that the rest of the restart does not trip over.
void restore_process();

/// Limits, credentials and what follows from them: last, since they can only shrink what the stub may do.
void drop_to_process();

}  // namespace mig
