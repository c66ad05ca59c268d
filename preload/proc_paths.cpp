// Paths under /proc after a restart: their numbers are virtual ones.
//
// Numbers of this job's processes and threads are replaced on the way in: /proc/PID/..., /proc/self/task/TID/... On
// the way out come the links /proc/self, /proc/thread-self and .../exe, and the files stat, status and children of any
// process or thread: a program that opens one gets a file in memory with the numbers replaced, as they stood when it was
// opened. Of a path relative to an open directory of /proc, the directory's own path has the kernel's numbers.
//
// Listings of /proc and of task directories: members have their virtual numbers, and somebody outside whose number is a
// member's virtual one is left out, since no path leads there.
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

/// `Name:\t1\t2`: numbers that are ids. Of several, one per namespace, the first is this one's.
IdKind status_kind(const char* line) {
  if (text_starts(line, "Tgid:") || text_starts(line, "Pid:") || text_starts(line, "TracerPid:") ||
      text_starts(line, "NStgid:") || text_starts(line, "NSpid:"))
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

int32_t shown_parent(int32_t process, int32_t real_parent) {
  return process == ids.real_pid ? own_parent() : virtual_id(real_parent);
}

void rewrite_status(Text& t, const char* from) {
  int32_t process = 0;
  while (*from) {
    const char* end = from;
    while (*end && *end != '\n') ++end;
    IdKind kind = status_kind(from);
    if (text_starts(from, "PPid:")) {
      t << "PPid:\t" << shown_parent(process, static_cast<int32_t>(Scan(from + 5).number()));
    } else if (kind != IdKind::kNone) {
      while (*from != ':') t.put(*from++);
      t << ":\t";
      Scan numbers(from + 1);
      auto number = static_cast<int32_t>(numbers.number());
      if (!process) process = number;
      put_id(t, kind, number);
      for (from = numbers.at(); from < end;) t.put(*from++);
    } else {
      while (from < end) t.put(*from++);
    }
    if (*end) t.put('\n'), ++end;
    from = end;
  }
}

/// `PID (COMM) S PPID PGRP SESSION TTY TPGID ...`
void rewrite_stat(Text& t, const char* from) {
  auto process = static_cast<int32_t>(Scan(from).number());
  t << virtual_id(process);
  const char* last = from;
  for (const char* p = from; *p; ++p)
    if (*p == ')') last = p;
  while (*from && *from != ' ') ++from;
  while (from <= last) t.put(*from++);
  if (from[0] != ' ' || !from[1]) return;
  t.put(' ').put(from[1]);
  Scan scan(from + 2);
  t << " " << shown_parent(process, static_cast<int32_t>(scan.number())) << " ";
  put_id(t, IdKind::kGroup, static_cast<int32_t>(scan.number()));
  t << " ";
  put_id(t, IdKind::kSession, static_cast<int32_t>(scan.number()));
  t << " " << scan.number() << " ";
  long foreground = scan.number();
  if (foreground > 0) put_id(t, IdKind::kGroup, static_cast<int32_t>(foreground));
  else t << foreground;
  t << scan.at();
}

/// `PID PID PID `
void rewrite_children(Text& t, const char* from) {
  Scan scan(from);
  for (long child = scan.number(); child; child = scan.number()) t << virtual_id(static_cast<int32_t>(child)) << " ";
}

struct Rewritten {
  const char* name;
  void (*rewrite)(Text&, const char*);
};
constexpr Rewritten kRewritten[] = {{"/stat", rewrite_stat}, {"/status", rewrite_status}, {"/children", rewrite_children}};

const Rewritten* rewritten(const ProcPath& p) {
  for (const Rewritten& r : kRewritten)
    if (p.rest && text_equal(p.rest, r.name)) return &r;
  return nullptr;
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
  const Rewritten* r = rewritten(p);
  r->rewrite(text, from);
  return text.overflow() ? sys(__NR_openat, AT_FDCWD, path, flags, 0) : make_file(r->name + 1, text, flags);
}

/// Where a descriptor leads, if that is under /proc.
bool read_proc_link(int fd, char* path, size_t size) {
  char link[64];
  Text(link) << "/proc/self/fd/" << fd;
  long n = sys(__NR_readlink, link, path, size - 1);
  path[n > 0 ? n : 0] = 0;
  return text_starts(path, "/proc") && (path[5] == '/' || !path[5]);
}

/// Relative to a directory of /proc, as an absolute path with virtual numbers. False: it is something else.
bool make_absolute(int directory, const char* path, char* absolute, size_t size) {
  char from[kProcPathSize];
  bool of_interest = (path[0] >= '1' && path[0] <= '9') || text_starts(path, "stat") || text_starts(path, "task/") ||
                     text_equal(path, "children");
  if (!of_interest || !read_proc_link(directory, from, sizeof from)) return false;
  Text text(absolute, size);
  ProcPath p = parse(from);
  if (p.rest) {
    if (p.process) p.process = virtual_id(p.process);
    if (p.thread) p.thread = virtual_id(p.thread);
    put_numbers(text, p, false);
    text << p.rest;
  } else {
    text << from;
  }
  text << "/" << path;
  return !text.overflow();
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
  return ids_moved() && rewritten(p);
}

long open_moved(int directory, const char* path, int flags, int mode) {
  char buffer[kProcPathSize];
  const char* real = real_proc_path(path, buffer, sizeof buffer);
  if ((flags & (O_ACCMODE | O_PATH)) == O_RDONLY && is_rewritten(path)) return open_rewritten(parse(path), real, flags);
  return sys(__NR_openat, directory, real, flags, mode);
}

long open_proc_or_file(int directory, const char* path, int flags, int mode) {
  char absolute[kProcPathSize];
  if (is_moved_path(path)) return open_moved(directory, path, flags, mode);
  if (ids_moved() && directory >= 0 && path && make_absolute(directory, path, absolute, sizeof absolute))
    return open_moved(AT_FDCWD, absolute, flags, mode);
  return sys(__NR_openat, directory, path, flags, mode);
}

Listing listing_of(int directory) {
  char path[kProcPathSize];
  if (!read_proc_link(directory, path, sizeof path)) return Listing::kOther;
  return !path[5] ? Listing::kProcesses : text_ends(path, "/task") ? Listing::kThreads : Listing::kOther;
}

int32_t listed_id(const char* name) {
  int32_t real;
  if (!take_number(name, real) || *name) return -1;
  int32_t number = virtual_id(real);
  return number == real && real_id(real) != real ? 0 : number;
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
