// What several parts read off /proc/PID/stat.
#pragma once
#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

/// Behind the name in the text of a stat file, which may hold anything: at the blank before the state letter.
inline const char* behind_name(const char* text) {
  const char* end = text;
  for (const char* p = text; *p; ++p)
    if (*p == ')') end = p;
  return *end ? end + 1 : end;
}

/// The state letter in a stat file of a process or thread; 'X' when there is none any more.
inline char state_letter(const char* path) {
  char text[512];
  if (read_text(path, text, sizeof text) <= 0) return 'X';
  const char* at = behind_name(text);
  return at[0] ? at[1] : 'X';
}

/// Field 22 of /proc/self/stat: together with the pid it names a process for as long as the host is up. 0: unknown.
inline uint64_t own_start_time() {
  char text[512];
  if (read_text("/proc/self/stat", text, sizeof text) <= 0) return 0;
  Scan scan(behind_name(text));
  for (int i = 0; i < 20; ++i) scan.after(' ');
  return static_cast<uint64_t>(scan.number());
}

/// In the unit of a start time: no process that runs now has a later one.
inline uint64_t start_time_now() {
  return static_cast<uint64_t>(clock_now(CLOCK_BOOTTIME) / (kSecond / 100));
}

}  // namespace mig
