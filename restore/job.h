// The restarted job's control block (image/job.h).
#pragma once

namespace mig {

/// Makes the job's file with this process as its member, while the stub still has the rights of the restarting user: the
/// process may be somebody with less. Returns a descriptor for the library to map, or -1.
int make_job();
/// Of a restart that is given up.
void remove_job();

}  // namespace mig
