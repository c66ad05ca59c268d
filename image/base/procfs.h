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

/// What /proc/PID/stat says of a process. state 'X': there is none.
struct ProcessStat {
  char state;       ///< of its main thread; 'Z' only if the others have ended too
  bool main_ended;  ///< other threads live on
  int32_t ppid, pgid, sid, exit_signal;
  uint64_t start;
  int32_t terminal, foreground;  ///< device of the controlling terminal, and the process group in its foreground; 0, -1: none
};
inline ProcessStat process_stat(int32_t pid) {
  char path[64], text[1024];
  Text(path) << "/proc/" << pid << "/stat";
  ProcessStat s{'X', false, 0, 0, 0, 0, 0, 0, 0};
  if (read_text(path, text, sizeof text) <= 0) return s;
  const char* at = behind_name(text);
  if (!at[0]) return s;
  s.state = at[1];
  Scan scan(at + 2);
  s.ppid = static_cast<int32_t>(scan.number()), s.pgid = static_cast<int32_t>(scan.number());
  s.sid = static_cast<int32_t>(scan.number());
  s.terminal = static_cast<int32_t>(scan.number()), s.foreground = static_cast<int32_t>(scan.number());
  constexpr int kForeground = 8, kThreads = 20, kStart = 22, kExitSignal = 38;
  for (int field = kForeground + 1; field < kThreads; ++field) scan.number();
  s.main_ended = scan.number() > 1 && s.state == 'Z';
  if (s.main_ended) s.state = 'S';
  for (int field = kThreads + 1; field < kStart; ++field) scan.number();
  s.start = static_cast<uint64_t>(scan.number());
  for (int field = kStart + 1; field < kExitSignal; ++field) scan.number();
  s.exit_signal = static_cast<int32_t>(scan.number());
  return s;
}
/// False also for a zombie, and for another process that has got the same pid.
inline bool is_process_alive(int32_t pid, uint64_t start) {
  ProcessStat s = process_stat(pid);
  return s.state != 'X' && s.state != 'Z' && (!start || s.start <= start);
}

/// Field 22 of a stat file: together with the pid it names a process for as long as the host is up. 0: unknown.
inline uint64_t start_time(const char* path) {
  char text[512];
  if (read_text(path, text, sizeof text) <= 0) return 0;
  Scan scan(behind_name(text));
  for (int i = 0; i < 20; ++i) scan.after(' ');
  return static_cast<uint64_t>(scan.number());
}
inline uint64_t own_start_time() {
  return start_time("/proc/self/stat");
}

/// In the unit of a start time: no process that runs now has a later one.
inline uint64_t start_time_now() {
  return static_cast<uint64_t>(clock_now(CLOCK_BOOTTIME) / (kSecond / 100));
}

}  // namespace mig
