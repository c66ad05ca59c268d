// The namespaces (namespaces(7)) that the job began in.
#pragma once
#include "image/job.h"

namespace mig {

/// Notes those of this process in the new job.
void note_namespaces(Job& job);
/// This process is in those. False: the failure is set.
bool is_in_jobs_namespaces();

}  // namespace mig
