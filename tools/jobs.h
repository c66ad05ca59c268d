// The jobs of this user on this host: their control blocks in the run directory (image/job.h).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/base/file.h"
#include "image/job.h"

namespace mig {

/// One job's control block, mapped as its members map it.
class JobFile {
 public:
  JobFile(Job* job, std::string path) : job_(job), path_(std::move(path)) {}
  JobFile(const JobFile&) = delete;
  JobFile& operator=(const JobFile&) = delete;
  ~JobFile();
  Job* operator->() const { return job_; }
  Job& operator*() const { return *job_; }
  const std::string& path() const { return path_; }
  std::string name() const;
  /// For as long as this object or process lives: one mig at a time works on the job. False: another one does.
  bool claim();
  void release() { claim_.reset(); }

 private:
  Job* job_;
  std::string path_;
  ScopedFd claim_;
};
using JobPtr = std::shared_ptr<JobFile>;

/// $MIG_RUN, $XDG_RUNTIME_DIR/mig, or /tmp/mig-UID. Does not create it.
std::string run_directory();
/// The same, made if need be and checked: a directory of this user's alone.
std::string made_run_directory();

bool member_alive(const Member& m);
std::vector<Member> live_members(const JobFile& job);
/// The member that takes requests: the job's first process.
Member main_member(const JobFile& job);

/// Every job with a live member, by name. Removes what dead jobs left behind.
std::vector<JobPtr> find_jobs();
/// The job of that name if it has a live member.
JobPtr find_job_named(const std::string& name);

struct Target {
  JobPtr job;
  Member member;
};
/// TARGET: a job's name, JOB/VPID, a virtual pid or a real pid. Throws when it names none or several.
Target find_target(const std::string& target);

}  // namespace mig
