// What this kernel lets an ordinary user do, found out by doing it.
#pragma once
#include <string>
#include <vector>

namespace mig {

struct Probe {
  const char* name;
  bool works;
  bool needed;       ///< without it mig does not work; else something is slower or less exact
  std::string says;  ///< what it is for, and how to get it
};

std::vector<Probe> probe_host();

}  // namespace mig
