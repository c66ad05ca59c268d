// Paths under /proc after a restart: their numbers are virtual ones.
//
// Numbers of this job's processes and threads are replaced on the way in: /proc/PID/..., /proc/self/task/TID/... On
// the way out come the links /proc/self, /proc/thread-self and .../exe, and the files stat and status of this process: a
// program that opens one gets a file in memory with the numbers replaced, as they stood when it was opened. A
// path relative to an open /proc, and the names in its listings, stay the kernel's.
#include "preload/proc_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"

namespace mig {
namespace {

constexpr size_t kTextSize = 8192;

/// A path taken apart: /proc / WHO / task / TID / rest.
struct ProcPath {
  const char* rest = nullptr;  ///< behind the numbers, from its slash on; nullptr: nothing of ours
  int32_t process = 0;         ///< virtual; 0: self
  int32_t thread = 0;          ///< virtual; 0: none named
  bool is_thread_self = false;
};

bool take_number(const char*& at, int32_t& number) {
  const char* p = at;
  long n = 0;
  while (*p >= '0' && *p <= '9' && n < (1L << 31)) n = n * 10 + (*p++ - '0');
  if (p == at || (*p && *p != '/') || n <= 0 || n >= (1L << 31)) return false;
  number = static_cast<int32_t>(n);
  at = p;
  return true;
}

bool take_word(const char*& at, const char* word) {
  size_t n = text_length(word);
  if (!text_starts(at, word) || (at[n] && at[n] != '/')) return false;
  at += n;
  return true;
}

ProcPath parse(const char* path) {
  ProcPath p;
  const char* at = path + 5;
  if (*at++ != '/') return p;
  if (take_word(at, "thread-self")) p.is_thread_self = true;
  else if (!take_word(at, "self") && !take_number(at, p.process)) return p;
  const char* task = at;
  if (!p.is_thread_self && take_word(task, "/task") && *task == '/' && take_number(++task, p.thread)) at = task;
  p.rest = at;
  return p;
}

bool is_own(const ProcPath& p) {
  return p.rest && (!p.process || p.process == state.vpid || real_id(p.process) != p.process);
}

void put_numbers(Text& t, const ProcPath& p, bool real) {
  auto number = [&](int32_t n) { return real ? real_id(n) : n; };
  t << "/proc/";
  if (p.is_thread_self) t << "thread-self";
  else if (p.process) t << number(p.process);
  else t << "self";
  if (p.thread) t << "/task/" << number(p.thread);
}

/// `Name:\t1\t2`: numbers that are ids.
IdKind status_kind(const char* line) {
  if (text_starts(line, "Tgid:") || text_starts(line, "Pid:") || text_starts(line, "NStgid:") || text_starts(line, "NSpid:"))
    return IdKind::kTask;
  if (text_starts(line, "NSpgid:")) return IdKind::kGroup;
  if (text_starts(line, "NSsid:")) return IdKind::kSession;
  return IdKind::kNone;
}

void put_id(Text& t, IdKind kind, int32_t real) {
  if (kind == IdKind::kGroup) t << virtual_group(real);
  else if (kind == IdKind::kSession) t << virtual_session(real);
  else t << virtual_id(real);
}

void rewrite_status(Text& t, const char* from) {
  while (*from) {
    const char* end = from;
    while (*end && *end != '\n') ++end;
    IdKind kind = status_kind(from);
    if (text_starts(from, "PPid:")) {
      t << "PPid:\t" << own_parent();
    } else if (kind != IdKind::kNone) {
      while (*from != ':') t.put(*from++);
      t << ":\t";
      put_id(t, kind, static_cast<int32_t>(Scan(from + 1).number()));
    } else {
      while (from < end) t.put(*from++);
    }
    if (*end) t.put('\n'), ++end;
    from = end;
  }
}

/// `PID (COMM) S PPID PGRP SESSION TTY TPGID ...`
void rewrite_stat(Text& t, const char* from) {
  t << virtual_id(static_cast<int32_t>(Scan(from).number()));
  const char* last = from;
  for (const char* p = from; *p; ++p)
    if (*p == ')') last = p;
  while (*from && *from != ' ') ++from;
  while (from <= last) t.put(*from++);
  if (from[0] != ' ' || !from[1]) return;
  t.put(' ').put(from[1]);
  Scan scan(from + 2);
  scan.number();
  t << " " << own_parent() << " ";
  put_id(t, IdKind::kGroup, static_cast<int32_t>(scan.number()));
  t << " ";
  put_id(t, IdKind::kSession, static_cast<int32_t>(scan.number()));
  t << " " << scan.number() << " ";
  long foreground = scan.number();
  if (foreground > 0) put_id(t, IdKind::kGroup, static_cast<int32_t>(foreground));
  else t << foreground;
  t << scan.at();
}

long make_file(const char* name, const Text& text, int flags) {
  ScopedFd memory(sys(__NR_memfd_create, name, MFD_CLOEXEC));
  if (!memory.ok()) return memory.get();
  if (long r = write_all(memory.get(), text.c_str(), text.size()); r < 0) return r;
  char path[64];
  Text(path) << "/proc/self/fd/" << memory.get();
  return sys(__NR_openat, AT_FDCWD, path, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)), 0);
}

__attribute__((noinline)) long open_rewritten(const ProcPath& p, const char* path, int flags) {
  char from[kTextSize], to[kTextSize];
  if (long n = read_text(path, from, sizeof from); n < 0) return n;
  Text text(to);
  bool is_stat = text_equal(p.rest, "/stat");
  if (is_stat) rewrite_stat(text, from);
  else rewrite_status(text, from);
  return make_file(is_stat ? "stat" : "status", text, flags);
}

long copy_link(const char* text, char* buffer, size_t size) {
  size_t n = text_length(text);
  if (n > size) n = size;
  memcpy(buffer, text, n);
  return static_cast<long>(n);
}

}  // namespace

const char* real_proc_path(const char* path, char* buffer, size_t size) {
  ProcPath p = parse(path);
  if (!p.rest) return path;
  if (text_equal(p.rest, "/exe") && is_own(p) && state.executable[0]) return state.executable;
  if (!p.process && !p.thread) return path;
  Text text(buffer, size);
  put_numbers(text, p, true);
  text << p.rest;
  return text.overflow() ? path : buffer;
}

bool is_rewritten(const char* path) {
  ProcPath p = parse(path);
  return ids_moved() && is_own(p) && (text_equal(p.rest, "/stat") || text_equal(p.rest, "/status"));
}

long open_moved(int directory, const char* path, int flags, int mode) {
  char buffer[kProcPathSize];
  const char* real = real_proc_path(path, buffer, sizeof buffer);
  if ((flags & (O_ACCMODE | O_PATH)) == O_RDONLY && is_rewritten(path)) return open_rewritten(parse(path), real, flags);
  return sys(__NR_openat, directory, real, flags, mode);
}

long open_proc_or_file(int directory, const char* path, int flags, int mode) {
  if (is_moved_path(path)) return open_moved(directory, path, flags, mode);
  return sys(__NR_openat, directory, path, flags, mode);
}

long read_moved_link(const char* path, char* buffer, size_t size) {
  char real[kProcPathSize];
  ProcPath p = parse(path);
  Text text(real);
  if (text_equal(path, "/proc/self")) {
    text << state.vpid;
  } else if (text_equal(path, "/proc/thread-self")) {
    text << state.vpid << "/task/" << own_tid();
  } else if (p.rest && text_equal(p.rest, "/exe") && is_own(p) && state.executable[0]) {
    return copy_link(state.executable, buffer, size);
  } else {
    return sys(__NR_readlinkat, AT_FDCWD, real_proc_path(path, real, sizeof real), buffer, size);
  }
  return copy_link(real, buffer, size);
}

long read_proc_or_link(int directory, const char* path, char* buffer, long size) {
  if (is_moved_path(path) && size > 0) return read_moved_link(path, buffer, static_cast<size_t>(size));
  return sys(__NR_readlinkat, directory, path, buffer, size);
}

}  // namespace mig
