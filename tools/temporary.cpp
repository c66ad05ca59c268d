#include "tools/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/publish.h"
#include "tools/jobs.h"
#include "tools/problem.h"

namespace mig {

namespace {

constexpr int kTries = 100;  ///< a job that has not seen the end yet may still write into it

void leave_group_and_streams(int keep) {
  setsid();
  for (int s : {SIGINT, SIGTERM, SIGHUP}) signal(s, SIG_IGN);
  prctl(PR_SET_NAME, "mig-remover");
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  dup2(keep, 3);
  for (int fd = 4, end = static_cast<int>(sysconf(_SC_OPEN_MAX)); fd < end && fd < 4096; ++fd) close(fd);
}

[[noreturn]] void remove_at_the_end(const std::string& path, int alive) {
  leave_group_and_streams(alive);
  char byte;
  while (read(3, &byte, 1) < 0 && errno == EINTR) {
  }
  for (int i = 0; i < kTries && remove_tree(path.c_str()) != -ENOENT; ++i) usleep(20000);
  rmdir(run_directory().c_str());
  _exit(0);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory(const std::string& purpose) : path_(made_run_directory() + "/." + purpose + "-XXXXXX") {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Problem(Error::kInternal, "pipe", kernel_reason(errno));
  remover_ = mkdtemp(path_.data()) ? fork() : -1;
  int error = errno;
  if (remover_ == 0) {
    close(ends[1]);
    remove_at_the_end(path_, ends[0]);
  }
  close(ends[0]);
  alive_ = ends[1];
  if (remover_ > 0) return;
  close(alive_);
  rmdir(path_.c_str());
  throw Problem(Error::kNotWritable, path_, kernel_reason(error));
}

TemporaryDirectory::~TemporaryDirectory() {
  close(alive_);
  waitpid(remover_, nullptr, 0);
}

}  // namespace mig
