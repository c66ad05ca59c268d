// From the words of the command line to a command and its arguments, by CLI11
// (https://cliutils.github.io/CLI11).
#pragma once
#include <string>
#include <vector>

namespace mig {

int run_command_line(std::vector<std::string> words);

}  // namespace mig
