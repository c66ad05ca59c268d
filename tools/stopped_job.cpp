#include "tools/stopped_job.h"

#include "image/base/text.h"

namespace mig {

namespace {

constexpr double kIdleLimit = 120;  ///< seconds for a job that can write no more to notice

}  // namespace

StoppedJob::~StoppedJob() {
  if (request_.sent() && !let_go_ && !request_.handed_over()) bring_back();
  request_.fields().images[0] = 0;
}

void StoppedJob::hand_over(const std::string& host, const std::string& token) {
  JobRequest& f = request_.fields();
  text_copy(f.destination, host.c_str(), sizeof f.destination);
  text_copy(f.token, token.c_str(), sizeof f.token);
  __atomic_store_n(&f.handed_over, 1, __ATOMIC_RELEASE);
}

void StoppedJob::take_back() {
  __atomic_store_n(&request_.fields().handed_over, 0, __ATOMIC_RELEASE);
  bring_back();
}

void StoppedJob::let_go() {
  let_go_ = true;
  request_.set_phase(Phase::kPublished);
  await_end(job_);
}

/// What it writes goes nowhere any more, so it is done soon.
void StoppedJob::bring_back() {
  request_.withdraw_unanswered();
  try {
    request_.wait_for(Phase::kWritten, kIdleLimit);
  } catch (const Problem&) {
  }
  if (request_.phase() == Phase::kWritten)
    request_.fail(Problem(Error::kTransport, "job " + job_->name(), "the move failed", "The job goes on here."));
}

}  // namespace mig
