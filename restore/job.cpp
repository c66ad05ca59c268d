#include "restore/job.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <initializer_list>

#include "image/base/file.h"
#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "restore/description.h"
#include "restore/failure.h"
#include "restore/meeting.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr size_t kPathSize = 512;

Job* job;
int descriptor = -1;
char *path, *fresh;

/// Where the run directory cannot be written, the job lives without a name.
int open_job() {
  path = static_cast<char*>(home_memory(kPathSize)), fresh = static_cast<char*>(home_memory(kPathSize));
  Text(path, kPathSize) << options.run_directory << "/" << options.job << ".job";
  Text(fresh, kPathSize) << options.run_directory << "/." << options.job << "." << sys(__NR_getpid);
  sys(__NR_mkdirat, AT_FDCWD, options.run_directory, 0700);
  long fd = open_path(fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (fd < 0) fd = sys(__NR_memfd_create, "job", 1);
  fd = move_aside("the job's control block", fd);
  if (long r = sys(__NR_ftruncate, fd, sizeof(Job)); r < 0)
    give_up(Error::kResourceFailed, fresh, "make it as large as needed", r);
  return static_cast<int>(fd);
}

bool is_ours(const char* name) {
  struct stat there, here;
  return sys(__NR_newfstatat, AT_FDCWD, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && sys(__NR_fstat, descriptor, &here) == 0 &&
         there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

void enter_planned(Member& m, const Birth& b) {
  m.vpid = b.vpid, m.vpgid = b.vpgid, m.vsid = b.vsid;
  m.flags = b.role == Role::kZombie ? kMemberZombie : b.parent < 0 ? kMemberFixedParent : 0;
}

}  // namespace

Job* make_job(const Plan& plan, const Lineage& lineage) {
  descriptor = open_job();
  job = static_cast<Job*>(share_home_memory(sizeof(Job), descriptor));
  for (const Birth& b : lineage.births) {
    if (b.role == Role::kHelper) continue;
    if (job->member_count == kMaxMembers)
      give_up(Error::kResourceFailed, options.job, "it has more processes than a job may have");
    enter_planned(job->members[job->member_count++], b);
  }
  for (size_t i = 0; i < plan.processes.size(); ++i) job->members[i].vppid = plan.processes[i].record.vppid;
  for (const Birth& b : lineage.births)
    if (b.role == Role::kZombie)
      job->members[&b - lineage.births.begin()].vppid = lineage.births[static_cast<size_t>(b.parent)].vpid;
  job->rebirth.expected = static_cast<uint32_t>(plan.processes.size());
  text_copy(job->name, options.job, sizeof job->name);
  __builtin_memcpy(job->magic, kJobMagic, sizeof kJobMagic);
  return job;
}

void keep_job_descriptor() {
  descriptor = copy_aside("the job's control block", descriptor);
}

int job_descriptor() {
  return descriptor;
}

void enter_numbers(Lineage& lineage) {
  for (int32_t i = 0; i < lineage.size(); ++i) {
    if (!insert_id_pair(job->ids, {lineage[i].vpid, real_number(i)}))
      give_up(Error::kInternal, "the table of process ids", "it has no place left");
    if (lineage[i].role == Role::kHelper) continue;
    Member& m = job->members[i];
    m.start = process_stat(real_number(i)).start;
    __atomic_store_n(&m.pid, real_number(i), __ATOMIC_RELEASE);
  }
  job->ids.group = lineage.group, job->ids.session = lineage.session;
  for (const IdEntry& e : {lineage.group, lineage.session})
    if (e.virtual_number != e.real_number) store(&job->ids.moved, 1);
}

int32_t real_process(int32_t virtual_number) {
  for (uint32_t i = 0; i < job->member_count; ++i)
    if (job->members[i].vpid == virtual_number) return job->members[i].pid;
  return 0;
}

int32_t real_group(int32_t virtual_number) {
  if (job->ids.group.virtual_number == virtual_number) return job->ids.group.real_number;
  for (uint32_t i = 0; i < job->member_count; ++i)
    if (job->members[i].vpgid == virtual_number) {
      int32_t real = find_real(job->ids, virtual_number);
      return real ? real : virtual_number;
    }
  return 0;
}

void publish_job() {
  if (is_ours(fresh)) sys(__NR_renameat, AT_FDCWD, fresh, AT_FDCWD, path);
}

void remove_job() {
  for (const char* name : {path, fresh})
    if (is_ours(name)) sys(__NR_unlinkat, AT_FDCWD, name, 0);
  sys(__NR_unlinkat, AT_FDCWD, options.run_directory, AT_REMOVEDIR);
}

}  // namespace mig
