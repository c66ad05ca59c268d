// Paths under /proc after a restart: their numbers are virtual ones.
//
// Numbers of this job's processes and threads are replaced on the way in: /proc/PID/..., /proc/self/task/TID/... On
// the way out come the links /proc/self, /proc/thread-self and .../exe, and the files that name processes
// (preload/wrap/proc_texts.h). Of a path relative to a directory under /proc, the directory's own path has the kernel's numbers.
//
// Listings of /proc and of task directories: members have their virtual numbers, and somebody outside whose number is a
// member's virtual one is left out, since no path leads there.
#include "preload/wrap/proc_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <initializer_list>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/wrap/proc_executable.h"
#include "preload/wrap/proc_texts.h"

namespace mig {
namespace {

constexpr size_t kLinkSize = 256, kRelativeSize = 512;

/// A path taken apart: /proc / WHO / task / TID / rest.
struct ProcPath {
  const char* rest = nullptr;  ///< behind the numbers, from its slash on; nullptr: nothing of ours
  int32_t process = 0;         ///< virtual; 0: self
  int32_t thread = 0;          ///< virtual; 0: none named
  bool is_thread_self = false;
  bool real_process = false, real_thread = false;  ///< that number is the kernel's
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

bool take_slashes(const char*& at) {
  const char* from = at;
  while (*at == '/') ++at;
  return at > from;
}

ProcPath parse(const char* path) {
  ProcPath p;
  const char* at = path + 5;
  if (!take_slashes(at)) return p;
  if (take_word(at, "thread-self")) p.is_thread_self = true;
  else if (!take_word(at, "self") && !take_number(at, p.process)) return p;
  const char* task = at;
  if (!p.is_thread_self && take_slashes(task) && take_word(task, "task") && take_slashes(task) && take_number(task, p.thread))
    at = task;
  while (at[0] == '/' && at[1] == '/') ++at;
  p.rest = at;
  return p;
}

bool is_proc(const char* path) {
  return text_starts(path, "/proc") && (path[5] == '/' || !path[5]);
}

/// Where a directory is (AT_FDCWD: the current one), if that is under /proc.
bool read_proc_link(int directory, char* path, size_t size) {
  char link[64] = "/proc/self/cwd";
  if (directory != AT_FDCWD) Text(link) << "/proc/self/fd/" << directory;
  long n = sys(__NR_readlink, link, path, size - 1);
  path[n > 0 ? n : 0] = 0;
  return n > 0 && static_cast<size_t>(n) < size - 1 && is_proc(path);
}

/// Only such relative paths mean something else under /proc.
bool is_of_interest(const char* path) {
  if (path[0] >= '1' && path[0] <= '9') return true;
  for (const char* word : {"stat", "status", "task", "children", "exe", "fdinfo", "self", "thread-self", "locks"})
    if (const char* at = path; take_word(at, word)) return true;
  return false;
}

/// `absolute` is where a relative path is put together.
ProcPath take_apart(int directory, const char*& path, char (&absolute)[kRelativeSize]) {
  if (path[0] == '/') return is_proc(path) ? parse(path) : ProcPath();
  char from[kLinkSize];
  const char* relative = path;
  while (relative[0] == '.' && relative[1] == '/') ++relative, take_slashes(relative);
  if (!is_of_interest(relative) || (directory < 0 && directory != AT_FDCWD) || !read_proc_link(directory, from, sizeof from))
    return {};
  Text text(absolute);
  text << from << "/" << relative;
  if (text.overflow()) return {};
  path = absolute;
  ProcPath p = parse(absolute), above = parse(from);
  p.real_process = above.process, p.real_thread = above.thread;
  return p;
}

int32_t process_of(const ProcPath& p) {
  return p.real_process ? p.process : real_id(p.process);
}
bool is_own(const ProcPath& p) {
  return !p.process || process_of(p) == ids.real_pid;
}

void put_real(Text& t, const ProcPath& p) {
  t << "/proc/";
  if (p.is_thread_self) t << "thread-self";
  else if (p.process) t << process_of(p);
  else t << "self";
  if (p.thread) t << "/task/" << (p.real_thread ? p.thread : real_id(p.thread));
  t << p.rest;
}

/// What stands in place of a link .../exe to the stub.
bool find_executable(const ProcPath& p, char* buffer, size_t size) {
  if (!p.rest || !text_equal(p.rest, "/exe")) return false;
  if (is_own(p)) text_copy(buffer, state.executable, size);
  return is_own(p) ? buffer[0] : restored_executable(process_of(p), buffer, size);
}

/// True: `buffer` has the path as the kernel knows it.
bool make_real(const ProcPath& p, char* buffer, size_t size) {
  if (find_executable(p, buffer, size)) return true;
  if (!p.rest || (!p.process && !p.thread)) return false;
  Text text(buffer, size);
  put_real(text, p);
  return !text.overflow();
}

/// Opening one of these may block.
bool leads_elsewhere(const ProcPath& p) {
  return text_starts(p.rest, "/fd/") || text_starts(p.rest, "/root") || text_starts(p.rest, "/cwd") ||
         text_starts(p.rest, "/exe");
}

const ProcText* text_at(const ProcPath& p, const char* path) {
  if (!ids_moved()) return nullptr;
  return p.rest ? p.rest[0] ? proc_text(p.rest) : nullptr : path[0] == '/' ? common_proc_text(path) : nullptr;
}

long copy_link(const char* text, char* buffer, size_t size) {
  size_t n = text_length(text);
  if (n > size) n = size;
  memcpy(buffer, text, n);
  return static_cast<long>(n);
}

}  // namespace

RealPath::RealPath(int directory, const char* path) : directory_(directory), path_(path) {
  char absolute[kRelativeSize];
  ProcPath p = take_apart(directory, path, absolute);
  bool moved = make_real(p, buffer_, sizeof buffer_);
  if (moved) directory_ = AT_FDCWD, path_ = buffer_;
  if (!moved || leads_elsewhere(p)) mark_.leave();
}

bool is_rewritten(int directory, const char* path) {
  char absolute[kRelativeSize];
  ProcPath p = take_apart(directory, path, absolute);
  return text_at(p, path);
}

long open_in_proc(int directory, const char* path, int flags, int mode) {
  if (!may_be_moved(path)) return sys(__NR_openat, directory, path, flags, mode);
  RealPath real(directory, path);
  char absolute[kRelativeSize];
  ProcPath p = take_apart(directory, path, absolute);
  bool reads = (flags & (O_ACCMODE | O_PATH)) == O_RDONLY;
  if (const ProcText* text = reads ? text_at(p, path) : nullptr)
    return open_rewritten(*text, real.directory(), real.path(), flags);
  return sys(__NR_openat, real.directory(), real.path(), flags, mode);
}

Listing listing_of(int directory) {
  char path[kLinkSize];
  if (!read_proc_link(directory, path, sizeof path)) return Listing::kOther;
  return !path[5] ? Listing::kProcesses : text_ends(path, "/task") ? Listing::kThreads : Listing::kOther;
}

int32_t listed_id(const char* name) {
  int32_t real;
  if (!take_number(name, real) || *name) return -1;
  int32_t number = virtual_id(real);
  return number == real && real_id(real) != real ? 0 : number;
}

long read_link_in_proc(int directory, const char* path, char* buffer, size_t size) {
  if (!may_be_moved(path) || !size) return sys(__NR_readlinkat, directory, path, buffer, size);
  RealPath real(directory, path);
  char absolute[kRelativeSize], link[kProcPathSize];
  ProcPath p = take_apart(directory, path, absolute);
  Text text(link);
  if (text_equal(path, "/proc/self")) text << state.vpid;
  else if (text_equal(path, "/proc/thread-self")) text << state.vpid << "/task/" << own_tid();
  else if (!find_executable(p, link, sizeof link)) return sys(__NR_readlinkat, real.directory(), real.path(), buffer, size);
  return copy_link(link, buffer, size);
}

}  // namespace mig
