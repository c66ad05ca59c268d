#include "restore/job.h"

#include <fcntl.h>

#include "image/base/procfs.h"
#include "image/job.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/options.h"

namespace mig {
namespace {

Member own_member() {
  Member m{};
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) {
    m.vpid = p.vpid, m.vppid = p.vppid, m.vpgid = p.vpgid, m.vsid = p.vsid;
  });
  m.pid = static_cast<int32_t>(sys(__NR_getpid));
  m.start = own_start_time();
  return m;
}

long write_job(int fd) {
  if (long r = sys(__NR_ftruncate, fd, sizeof(Job)); r < 0) return r;
  Member m = own_member();
  uint32_t one = 1;
  pwrite_all(fd, &one, sizeof one, offsetof(Job, member_count));
  pwrite_all(fd, &m, sizeof m, offsetof(Job, members));
  pwrite_all(fd, options.job, text_length(options.job) + 1, offsetof(Job, name));
  return pwrite_all(fd, kJobMagic, sizeof kJobMagic, 0);
}

void job_path(Text&& path) {
  path << options.run_directory << "/" << options.job << ".job";
}

}  // namespace

int make_job() {
  auto path = static_cast<char*>(home_memory(512)), fresh = static_cast<char*>(home_memory(512));
  job_path(Text(path, 512));
  Text(fresh, 512) << options.run_directory << "/." << options.job << "." << sys(__NR_getpid);
  sys(__NR_mkdirat, AT_FDCWD, options.run_directory, 0700);
  ScopedFd fd(open_path(fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!fd.ok()) return -1;
  if (write_job(fd.get()) < 0 || sys(__NR_renameat, AT_FDCWD, fresh, AT_FDCWD, path) < 0) {
    sys(__NR_unlinkat, AT_FDCWD, fresh, 0);
    return -1;
  }
  return fd.release();
}

void remove_job() {
  char path[512];
  job_path(Text(path));
  sys(__NR_unlinkat, AT_FDCWD, path, 0);
}

}  // namespace mig
