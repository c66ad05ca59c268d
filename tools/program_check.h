// Whether a program can live under libmig.so: the loader must honour LD_PRELOAD for it.
#pragma once
#include <string>

namespace mig {

/// The file that exec would take for `name`, searched in PATH like execvp. Throws kNoProgram.
std::string find_program(const std::string& name);

/// Throws the refusal (MIG0020 to MIG0024) if the library cannot be loaded into it; follows #! lines.
void check_program(const std::string& path);

}  // namespace mig
