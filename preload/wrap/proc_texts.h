// Files of /proc that name processes, as the program should see them after a restart.
#pragma once
#include <stddef.h>

#include "image/base/text.h"

namespace mig {

struct ProcText {
  const char* name;
  void (*rewrite)(Text& to, const char* from);
  size_t room;  ///< for the whole text; what is longer stays as the kernel has it
};

/// What has to be rewritten in /proc/PID`rest` or /proc/PID/task/TID`rest`, or nullptr.
const ProcText* proc_text(const char* rest);
/// The same for a file directly in /proc.
const ProcText* common_proc_text(const char* path);

/// openat(2) by the kernel's convention: a file in memory with the text as it stands now.
long open_rewritten(const ProcText& kind, int directory, const char* real_path, int flags);

}  // namespace mig
