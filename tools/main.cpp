// mig, the operator's command: finds the subcommand, turns what stops it into one sentence and an exit code.
#include <fmt/format.h>
#include <signal.h>

#include "tools/command_line.h"
#include "tools/problem.h"

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_DFL);
  try {
    return mig::run_command_line({argv + 1, argv + argc});
  } catch (const mig::Problem& p) {
    fmt::print(stderr, "mig: {}\n", p.what());
    return p.exit_code();
  } catch (const std::exception& e) {
    fmt::print(stderr, "mig: {}\n", mig::Problem(mig::Error::kInternal, "mig", e.what()).what());
    return mig::kExitInternal;
  }
}
