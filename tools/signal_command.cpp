// mig signal: sends a signal to a process by the pid that the program knows.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>

#include "tools/commands.h"
#include "tools/duration.h"
#include "tools/jobs.h"
#include "tools/problem.h"

namespace mig {

namespace {

int run(const Arguments& a) {
  Target t = find_target(a.text("TARGET"));
  int signal = parse_signal(a.text("SIGNAL"));
  if (signal == (*t.job)->signal)
    throw Problem(Error::kBadArgument, signal_name(signal), "this is the signal that asks the job for a checkpoint",
                  "Use `mig checkpoint`.");
  if (kill(t.member.pid, signal) == 0) return 0;
  if (errno == EPERM) throw Problem(Error::kWrongUser, fmt::format("process {}", t.member.vpid));
  throw Problem(Error::kNoSuchJob, fmt::format("process {}", t.member.vpid), kernel_reason(errno));
}

}  // namespace

Command signal_command() {
  return {"signal",
          "send a signal to a process of a job",
          "Sends a signal to a process by its virtual pid, wherever it runs now: kill(1) for jobs. TARGET "
          "may also be a job's name "
          "(its first process) or JOB/VPID.",
          {{"TARGET", "the job's name, JOB/VPID, a virtual pid or a real pid"}, {"SIGNAL", "name or number: TERM, SIGUSR1, 9"}},
          {},
          nullptr,
          {"mig signal sim USR1", "mig signal 4711 TERM"},
          run};
}

}  // namespace mig
