// What `mig restart` and `mig receive` have in common: whether an image can be restarted here, and becoming the stub.
#pragma once
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/manifest.h"

namespace mig {

/// Throws if this CPU will not do, or a file is missing or not whole.
void check_image(const std::string& image, const Manifest& m);

/// The stub's command line, for the options of `mig restart`.
std::vector<std::string> stub_words(const Arguments& a, const std::string& image, const Manifest& m, const std::string& name);

/// Never returns. `keep`: a descriptor that the stub is told of.
[[noreturn]] void become_stub(const std::vector<std::string>& words, int keep = -1);

/// The exit status of a process as a shell would give it.
int status_of(int status);

}  // namespace mig
