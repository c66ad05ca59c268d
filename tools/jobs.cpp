#include "tools/jobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "image/base/file.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

constexpr time_t kBirthGrace = 30;  ///< seconds in which a job file may have no member yet

/// The block of the file, or nothing if it is none (being made, of another version, not ours).
Job* map_block(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) return nullptr;
  if (st.st_size < static_cast<off_t>(sizeof(Job))) return nullptr;
  void* p = mmap(nullptr, sizeof(Job), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) return nullptr;
  auto job = static_cast<Job*>(p);
  if (memcmp(job->magic, kJobMagic, sizeof kJobMagic) == 0) return job;
  munmap(p, sizeof(Job));
  return nullptr;
}

bool has_live_member(const JobFile& job) {
  return !live_members(job).empty();
}

/// A file without a live member is what a killed job left; a very young one may be a job being born.
void remove_if_stale(const JobFile& job, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0 || time(nullptr) - st.st_mtime < kBirthGrace) {
    bool had_members = false;
    for (const Member& m : job->members) had_members = had_members || m.pid;
    if (!had_members) return;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && !has_live_member(job)) unlink(job.path().c_str());
}

JobPtr open_job(const std::string& path) {
  ScopedFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return nullptr;
  Job* block = map_block(fd.get());
  if (!block) return nullptr;
  auto job = std::make_shared<JobFile>(block, path);
  if (has_live_member(*job)) return job;
  remove_if_stale(*job, fd.get());
  return nullptr;
}

bool is_number(const std::string& s) {
  return !s.empty() && s.size() < 10 && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void refuse_foreign(int pid, const std::string& object) {
  struct stat st;
  if (stat(("/proc/" + std::to_string(pid)).c_str(), &st) == 0 && st.st_uid != geteuid())
    throw Problem(Error::kWrongUser, object);
}

std::vector<Target> members_matching(bool (*matches)(const Member&, int), int number) {
  std::vector<Target> found;
  for (const JobPtr& job : find_jobs())
    for (const Member& m : live_members(*job))
      if (matches(m, number)) found.push_back({job, m});
  return found;
}

Target find_by_number(const std::string& target) {
  int number = atoi(target.c_str());
  auto by_vpid = members_matching([](const Member& m, int n) { return m.vpid == n; }, number);
  auto by_pid = members_matching([](const Member& m, int n) { return m.pid == n; }, number);
  if (by_pid.size() == 1) {
    const Target& t = by_pid[0];
    bool same = by_vpid.empty();
    for (const Target& v : by_vpid) same = same || v.job->path() == t.job->path();
    if (same) return by_vpid.size() == 1 ? by_vpid[0] : t;
  } else if (by_vpid.size() == 1) {
    return by_vpid[0];
  }
  if (by_vpid.empty()) {
    refuse_foreign(number, "pid " + target);
    throw Problem(Error::kNoSuchJob, "pid " + target);
  }
  throw Problem(Error::kSeveralJobs, "pid " + target,
                "a number must name one process, and it is the virtual or real pid of several",
                "Use the job's name, or JOB/VPID; `mig ls` shows both.");
}

}  // namespace

JobFile::~JobFile() {
  munmap(job_, sizeof(Job));
}

std::string JobFile::name() const {
  return {job_->name, strnlen(job_->name, sizeof job_->name)};
}

/// A lock of an open file: unlike an entry with a pid it is there at once and goes with its process. Apart from flock(2), and from
/// the mapping, which a child would keep.
bool JobFile::claim() {
  ScopedFd fd(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  if (fd.ok() && fcntl(fd.get(), F_OFD_SETLK, &whole) != 0) return false;
  claim_.reset(fd.release());
  return true;
}

std::string run_directory() {
  if (const char* d = getenv("MIG_RUN"); d && *d) return d;
  if (const char* d = getenv("XDG_RUNTIME_DIR"); d && *d) return std::string(d) + "/mig";
  return "/tmp/mig-" + std::to_string(geteuid());
}

std::string made_run_directory() {
  std::string d = run_directory();
  if (mkdir(d.c_str(), 0700) != 0 && errno != EEXIST)
    throw Problem(Error::kNotWritable, "run directory " + d, kernel_reason(errno), "Name another directory with MIG_RUN.");
  struct stat st;
  if (lstat(d.c_str(), &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
    throw Problem(Error::kWrongUser, "run directory " + d, "it is not a directory of this user",
                  "Name another directory with MIG_RUN.");
  return d;
}

bool member_alive(const Member& m) {
  return process_alive(m.pid, m.start);
}

std::vector<Member> live_members(const JobFile& job) {
  std::vector<Member> found;
  uint32_t count = std::min<uint32_t>(job->member_count, kMaxMembers);
  for (uint32_t i = 0; i < count; ++i)
    if (Member m = job->members[i]; member_alive(m)) found.push_back(m);
  return found;
}

Member main_member(const JobFile& job) {
  std::vector<Member> members = live_members(job);
  if (members.empty()) throw Problem(Error::kNoSuchJob, "job " + job.name(), "its last process has ended");
  for (const Member& m : members) {
    bool child = false;
    for (const Member& other : members) child = child || (other.vpid == m.vppid && other.pid != m.pid);
    if (!child) return m;
  }
  return members[0];
}

std::vector<JobPtr> find_jobs() {
  std::vector<JobPtr> jobs;
  DIR* d = opendir(run_directory().c_str());
  if (!d) return jobs;
  while (dirent* e = readdir(d)) {
    std::string name = e->d_name;
    if (name.size() < 5 || name.compare(name.size() - 4, 4, ".job") != 0) continue;
    if (JobPtr job = open_job(run_directory() + "/" + name)) jobs.push_back(job);
  }
  closedir(d);
  std::sort(jobs.begin(), jobs.end(), [](const JobPtr& a, const JobPtr& b) { return a->name() < b->name(); });
  return jobs;
}

JobPtr find_job_named(const std::string& name) {
  for (const JobPtr& job : find_jobs())
    if (job->name() == name) return job;
  return nullptr;
}

Target find_target(const std::string& target) {
  if (JobPtr job = find_job_named(target)) return {job, main_member(*job)};
  size_t slash = target.rfind('/');
  if (slash != std::string::npos && is_number(target.substr(slash + 1)))
    if (JobPtr job = find_job_named(target.substr(0, slash)))
      for (const Member& m : live_members(*job))
        if (m.vpid == atoi(target.c_str() + slash + 1)) return {job, m};
  if (is_number(target)) return find_by_number(target);
  throw Problem(Error::kNoSuchJob, "job " + target);
}

}  // namespace mig
