// What several parts read off /proc/PID/stat.
#pragma once
#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

/// Field 22 of /proc/self/stat: together with the pid it names a process for as long as the host is up. 0: unknown.
inline uint64_t own_start_time() {
  char text[512];
  if (read_text("/proc/self/stat", text, sizeof text) <= 0) return 0;
  const char* end = text;
  for (const char* p = text; *p; ++p)
    if (*p == ')') end = p;
  Scan scan(end);
  for (int i = 0; i < 20; ++i) scan.after(' ');
  return static_cast<uint64_t>(scan.number());
}

}  // namespace mig
