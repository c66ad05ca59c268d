// The restarted job's control block (image/job.h).
#pragma once
#include "image/job.h"
#include "restore/lineage.h"

namespace mig {

/// Makes the job's file, under another name yet, with an entry for every member and zombie, while the stub still has the rights
/// of the restarting user: a process may be somebody with less. Every process inherits its descriptor.
Job* make_job(const Plan& plan, const Lineage& lineage);
/// In a process that has the same table of descriptors as another one: which may close it.
void keep_job_descriptor();
int job_descriptor();

/// The kernel's numbers of processes, groups and sessions, once all of them exist.
void enter_numbers(Lineage& lineage);

/// What the program knows by these numbers; 0: nothing of this job. For processes and process groups.
int32_t real_process(int32_t virtual_number);
int32_t real_group(int32_t virtual_number);

/// Gives the file its name: the job can be found.
void publish_job();
/// After a failure. Does nothing when it is not there.
void remove_job();

}  // namespace mig
