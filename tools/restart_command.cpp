// mig restart: verifies that the image is whole and that this host will do, then becomes the restart stub.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/base/file.h"
#include "image/cpu.h"
#include "tools/commands.h"
#include "tools/core_file.h"
#include "tools/jobs.h"
#include "tools/manifest.h"
#include "tools/parts.h"
#include "tools/problem.h"
#include "tools/process.h"
#include "tools/restart.h"

namespace mig {

namespace {

constexpr int kReadyLimit = 600;         ///< seconds for a job to be restored
constexpr int kReadySlice = 200;         ///< milliseconds
constexpr int kHighestInherited = 4096;  ///< where the kernel cannot close a range

void check_cpu(const std::string& image, const Manifest& m) {
  const CpuSet host = cpu_features();
  std::string missing;
  for (const std::string& name : m.required) {
    int i = cpu_feature_index(name.c_str());
    if (i >= 0 && (kCpuFeatures[i].hint || host.has(static_cast<unsigned>(i)))) continue;
    missing += (missing.empty() ? "" : " ") + name;
  }
  if (missing.empty()) return;
  throw Problem(Error::kCpuFeatures, image, "this CPU lacks features that the program may use: " + missing,
                fmt::format("Restart on a CPU that has them, or start the program next time with `mig run --cpu {}`.",
                            cpu_level_of(host) >= 3   ? "x86-64-v3"
                            : cpu_level_of(host) == 2 ? "x86-64-v2"
                                                      : "x86-64-v1"));
}

/// Only that every file is there, of the right size, with whole tables: the stub checks the rest while it
/// reads.
void check_files(const std::string& image, const Manifest& m) {
  for (const ManifestProcess& p : m.processes) CoreFile core(image + "/" + p.core, p.bytes);
}

/// NAME without the -2 of an earlier copy.
std::string free_name(const std::string& job) {
  for (int n = 2;; ++n) {
    std::string name = fmt::format("{}-{}", job, n);
    if (!find_job_named(name)) return name;
  }
}

std::string job_name(const Arguments& a, const Manifest& m) {
  std::string name = a.text("name", m.job);
  if (name.empty() || name.size() >= sizeof(Job::name) || name.find('/') != std::string::npos)
    throw Problem(Error::kBadArgument, "--name " + name, "this cannot be a job's name");
  JobPtr running = find_job_named(name);
  if (!running) return name;
  if (a.has("new") && !a.has("name")) return free_name(name);
  throw Problem(Error::kStillRunning, "job " + name, fmt::format("it still runs here (pid {})", main_member(*running).pid));
}

void check_assignments(const Arguments& a, const char* option) {
  for (const std::string& v : a.list(option))
    if (v.find('=') == std::string::npos || v[0] == '=')
      throw Problem(Error::kBadArgument, fmt::format("--{} {}", option, v), "there is no `=` in it, or nothing before it");
}

/// Of those without a parent in the job (orphans are such too) the one that was born first.
/// The manifest lists the processes by age: the first whose parent is none of them.
const ManifestProcess& first_process(const Manifest& m) {
  for (const ManifestProcess& p : m.processes) {
    bool child = false;
    for (const ManifestProcess& other : m.processes) child = child || (other.vpid == p.vppid && other.vpid != p.vpid);
    if (!child) return p;
  }
  return m.processes[0];
}

/// What this shell happens to have open is nothing to the program, and may have the numbers of its own.
void close_inherited(int keep) {
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    for (int fd = 3; fd < kHighestInherited; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (keep >= 0) fcntl(keep, F_SETFD, 0);
}

}  // namespace

void check_image(const std::string& image, const Manifest& m) {
  check_cpu(image, m);
  check_files(image, m);
}

std::vector<std::string> stub_words(const Arguments& a, const std::string& image, const Manifest& m, const std::string& name) {
  std::vector<std::string> w = {stub_path(), "--image", image, "--job", name, "--run-dir", made_run_directory()};
  for (const char* option : {"map", "env", "unset"})
    for (const std::string& v : a.list(option)) w.insert(w.end(), {std::string("--") + option, v});
  const ManifestProcess& first = first_process(m);
  w.push_back(image + "/" + first.core);
  for (const ManifestProcess& p : m.processes)
    if (&p != &first) w.push_back(image + "/" + p.core);
  return w;
}

void become_stub(const std::vector<std::string>& words, int keep) {
  close_inherited(keep);
  std::vector<char*> argv = argument_vector(words);
  unsetenv("LD_PRELOAD");
  execv(argv[0], argv.data());
  throw Problem(Error::kMissingStub, argv[0], kernel_reason(errno));
}

int status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

namespace {

/// Waits for the stub's byte; the end of the pipe, or of the stub, without one means that it failed and said
/// why.
int await_ready(pid_t child, int fd) {
  for (int slices = 0; slices < kReadyLimit * 1000 / kReadySlice; ++slices) {
    pollfd p = {fd, POLLIN, 0};
    int status = 0;
    if (poll(&p, 1, kReadySlice) > 0) {
      char byte;
      if (read(fd, &byte, 1) == 1) return 0;
      if (waitpid(child, &status, 0) == child) return status_of(status) ? status_of(status) : kExitInternal;
    }
    if (waitpid(child, &status, WNOHANG) == child) return status_of(status);
  }
  throw Problem(Error::kRequesterTimeout, fmt::format("pid {}", child),
                fmt::format("it has not reported within {} s that it runs", kReadyLimit), "See `mig ls` for its state.");
}

int restart_detached(std::vector<std::string> words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Problem(Error::kInternal, "pipe", kernel_reason(errno));
  pid_t child = fork();
  if (child < 0) throw Problem(Error::kNoMemory, "fork", kernel_reason(errno));
  if (child == 0) {
    setsid();
    words.insert(words.begin() + 1, {"--ready-fd", std::to_string(ends[1])});
    become_stub(words, ends[1]);
  }
  close(ends[1]);
  return await_ready(child, ends[0]);
}

int run(const Arguments& a) {
  check_assignments(a, "map");
  check_assignments(a, "env");
  std::string image = resolve_image(a.text("IMAGE"));
  Manifest m = read_manifest(image);
  check_image(image, m);
  std::vector<std::string> words = stub_words(a, image, m, job_name(a, m));
  if (a.has("detach")) return restart_detached(words);
  become_stub(words);
}

}  // namespace

Command restart_command() {
  return {"restart",
          "restart a job from an image",
          "Restores the job. In the foreground it takes this terminal and ends with the program's own exit "
          "status (128 + n "
          "after signal n); with --detach mig returns 0 once every process runs. Images are only read: any "
          "number of copies "
          "can be restarted from one with --new. Before anything is touched, the image's tables, the CPU and "
          "the files that "
          "the program had open are checked.",
          {{"IMAGE", "an image, or a directory of images (its latest)"}},
          {{"detach", nullptr, nullptr, "return once the job runs"},
           {"new", nullptr, nullptr, "restart a copy beside the running job, under a name of its own (JOB-2, JOB-3, ...)"},
           {"name", nullptr, "NAME", "the job's name from now on"},
           {"map", nullptr, "OLD=NEW", "paths below OLD are below NEW here", true},
           {"env", nullptr, "K=V", "set an environment variable of the program", true},
           {"unset", nullptr, "K", "remove an environment variable of the program", true}},
          nullptr,
          {"mig restart sim.mig", "mig restart --detach --map /scratch=/data /shared/sim.mig/3"},
          run};
}

}  // namespace mig
