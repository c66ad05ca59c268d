// What a program's environment must say so that libraries choose no code beyond a CPU level.
#pragma once
#include <string>

namespace mig {

/// Sets MIG_CPU and the variables that libc and other libraries choose by. Throws when the level is unknown
/// or this CPU has less.
void set_cpu_environment(const std::string& level);

}  // namespace mig
