// Where the other parts of mig are: relative to this command, in the build folder and when installed.
#pragma once
#include <string>

namespace mig {

std::string library_path();  ///< libmig.so, or a Problem
std::string stub_path();     ///< mig-restart, or a Problem
std::string command_path();  ///< this command
bool part_exists(const std::string& path);

}  // namespace mig
