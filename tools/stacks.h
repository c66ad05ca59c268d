// Backtraces of the threads in an image, by libunwind over the image's memory.
#pragma once
#include <string>
#include <vector>

#include "tools/core_file.h"

namespace mig {

struct Frame {
  uint64_t address;
  std::string symbol, module;
};

struct Stack {
  int vtid;
  std::vector<Frame> frames;
};

std::vector<Stack> unwind_stacks(const CoreFile& core);

}  // namespace mig
