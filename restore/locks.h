// Locks on files, leases, and who is told of events on a descriptor.
#pragma once
#include "restore/description.h"

namespace mig {

/// Before the commit: takes the locks of the description; gives up if somebody else holds one.
void prepare_locks(const PreparedDescription& p);
void take_lease(const PreparedDescription& p, int fd);
void set_owner(const PreparedDescription& p, int fd);
/// POSIX locks end with any close of the file, so they are taken when all is closed that will be.
void take_process_locks(const PreparedDescription& p, int fd);

}  // namespace mig
