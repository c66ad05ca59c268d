// mig run: starts a program as a job. It only sets the environment and becomes the program: same pid, same
// exit status.
#include <errno.h>
#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "image/job.h"
#include "tools/commands.h"
#include "tools/cpu_environment.h"
#include "tools/duration.h"
#include "tools/jobs.h"
#include "tools/parts.h"
#include "tools/problem.h"
#include "tools/process.h"
#include "tools/program_check.h"

namespace mig {

namespace {

void prepend_preload(const std::string& library) {
  if (library.find_first_of(" :") != std::string::npos)
    throw Problem(Error::kMissingStub, library, "the loader splits LD_PRELOAD at blanks and colons, and its path has one",
                  "Install mig below a path without blanks and colons.");
  const char* old = getenv("LD_PRELOAD");
  std::string value = library;
  if (old && *old && std::string(old).find(library) == std::string::npos) value += std::string(":") + old;
  else if (old && *old) value = old;
  setenv("LD_PRELOAD", value.c_str(), 1);
}

/// This very process is a member: MIG_NAME is inherited, and the new program stays in its job.
bool inside(const JobFile& job) {
  for (const Member& m : live_members(job))
    if (m.pid == getpid()) return true;
  return false;
}

void check_name(const std::string& name) {
  bool fine = !name.empty() && name.size() < sizeof(Job::name) && name[0] != '.' &&
              name.find_first_of("/ \t\n\"'\\") == std::string::npos;
  if (!fine)
    throw Problem(Error::kBadArgument, "--name " + name,
                  "a job's name is a word of at most 63 letters without slashes or quotes");
  JobPtr job = find_job_named(name);
  if (job && !inside(*job))
    throw Problem(Error::kStillRunning, "job " + name,
                  fmt::format("a job of that name runs already (pid {})", main_member(*job).pid), "Choose another name.");
}

void set_environment(const Arguments& a) {
  if (a.has("name")) {
    check_name(a.text("name"));
    setenv("MIG_NAME", a.text("name").c_str(), 1);
  }
  if (a.has("images")) setenv("MIG_IMAGES", std::filesystem::absolute(a.text("images")).c_str(), 1);
  if (a.has("every"))
    setenv("MIG_EVERY", std::to_string(std::lround(std::ceil(parse_duration("--every", a.text("every"))))).c_str(), 1);
  if (a.has("keep")) setenv("MIG_KEEP", std::to_string(parse_number("--keep", a.text("keep"), 0, INT_MAX)).c_str(), 1);
  if (a.has("signal")) setenv("MIG_SIGNAL", std::to_string(parse_signal(a.text("signal"))).c_str(), 1);
  if (a.has("cpu")) set_cpu_environment(a.text("cpu"));
}

int run(const Arguments& a) {
  if (a.rest.empty()) throw Problem(Error::kBadArgument, "run", "there is no program to run", "Write `mig run -- PROG ARG...`.");
  std::string library = library_path();
  std::string program = find_program(a.rest[0]);
  check_program(program);
  set_environment(a);
  prepend_preload(library);
  std::vector<char*> words = argument_vector(a.rest);
  execvp(program.c_str(), words.data());
  throw Problem(Error::kNoProgram, program, kernel_reason(errno));
}

}  // namespace

Command run_command() {
  return {
      "run",
      "start a program as a job",
      "Starts PROG under libmig.so, as LD_PRELOAD=libmig.so would, so that it can be checkpointed, restarted "
      "and moved. "
      "mig becomes the program: same pid, same exit status. Refused are programs that the loader would start "
      "without the library: static, 32-bit and setuid ones, and scripts with such an interpreter.",
      {},
      {{"name", nullptr, "NAME", "the job's name (default: the program's name and pid)"},
       {"images", nullptr, "DIR", "where its images go (default: ./JOB.mig)"},
       {"every", nullptr, "TIME", "checkpoint by itself every TIME: 30s, 10m, 2h"},
       {"keep", nullptr, "K", "keep the newest K images (default: all)"},
       {"cpu", nullptr, "LEVEL", "let libraries choose no code beyond x86-64-v1, -v2, -v3 or -v4, for a restart on older CPUs"},
       {"signal", nullptr, "N", "the signal that asks for a checkpoint (default: 64)"}},
      "PROG [ARG...]",
      {"mig run -- ./prog input", "mig run --name sim --every 10m --keep 3 -- python3 sim.py"},
      run};
}

}  // namespace mig
