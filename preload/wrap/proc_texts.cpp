// Files of /proc that name processes: stat, status, children and fdinfo of any process or thread, and /proc/locks. A program
// that opens one gets a file in memory with the numbers replaced, as they stood when it was opened.
//
// A parent outside the job: its child knows it by the number that it had at first, and so do all others
// (kMemberFixedParent in the child's entry).
#include "preload/wrap/proc_texts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "image/base/futex.h"
#include "preload/ids.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr size_t kSmall = 8192, kLarge = 256 << 10;

/// `Name:\t1\t2`: numbers that are ids. Of several, one per namespace, the first is this one's.
IdKind line_kind(const char* line) {
  if (text_starts(line, "Tgid:") || text_starts(line, "Pid:") || text_starts(line, "TracerPid:") ||
      text_starts(line, "NStgid:") || text_starts(line, "NSpid:"))
    return IdKind::kTask;
  if (text_starts(line, "NSpgid:")) return IdKind::kGroup;
  if (text_starts(line, "NSsid:")) return IdKind::kSession;
  return IdKind::kNone;
}

void put_id(Text& t, IdKind kind, long real) {
  t << to_virtual(kind, real);
}

int32_t shown_parent(int32_t process, int32_t real_parent) {
  if (process == ids.real_pid) return own_parent();
  for (uint32_t i = 0; state.job && i < state.job->member_count; ++i)
    if (const Member& m = state.job->members[i]; m.pid == process)
      return load(&m.flags) & kMemberFixedParent ? m.vppid : virtual_id(real_parent);
  return virtual_id(real_parent);
}

const char* line_end(const char* from) {
  while (*from && *from != '\n') ++from;
  return from;
}
void put_until(Text& t, const char*& from, const char* end) {
  while (from < end) t.put(*from++);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// `1: -> POSIX  ADVISORY  WRITE PID DEVICE:INODE FROM TO`: the first word that is nothing but a number.
void rewrite_lock(Text& t, const char* from, const char* end) {
  for (bool found = false; from < end && !found;) {
    const char* word = from;
    while (word < end && is_digit(*word)) ++word;
    if (word > from && *word == ' ') {
      put_id(t, IdKind::kTask, Scan(from).number());
      from = word, found = true;
    }
    while (word < end && *word != ' ') ++word;
    while (word < end && *word == ' ') ++word;
    put_until(t, from, word);
  }
  put_until(t, from, end);
}

void rewrite_line(Text& t, const char* from, const char* end, int32_t& process) {
  IdKind kind = line_kind(from);
  if (text_starts(from, "PPid:")) {
    t << "PPid:\t" << shown_parent(process, static_cast<int32_t>(Scan(from + 5).number()));
    return;
  }
  if (kind != IdKind::kNone) {
    while (*from != ':') t.put(*from++);
    t << ":\t";
    Scan numbers(from + 1);
    long number = numbers.number();
    if (!process) process = static_cast<int32_t>(number);
    put_id(t, kind, number);
    from = numbers.at();
  } else if (text_starts(from, "lock:\t")) {
    put_until(t, from, from + 6);
    return rewrite_lock(t, from, end);
  }
  put_until(t, from, end);
}

void rewrite_lines(Text& t, const char* from) {
  for (int32_t process = 0; *from;) {
    const char* end = line_end(from);
    rewrite_line(t, from, end, process);
    if (*end) t.put(*end++);
    from = end;
  }
}

void rewrite_locks(Text& t, const char* from) {
  while (*from) {
    const char* end = line_end(from);
    rewrite_lock(t, from, end);
    if (*end) t.put(*end++);
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
  put_until(t, from, last + 1);
  if (from[0] != ' ' || !from[1]) return;
  t.put(' ').put(from[1]);
  Scan scan(from + 2);
  t << " " << shown_parent(process, static_cast<int32_t>(scan.number())) << " ";
  put_id(t, IdKind::kGroup, scan.number());
  t << " ";
  put_id(t, IdKind::kSession, scan.number());
  t << " " << scan.number() << " ";
  put_id(t, IdKind::kGroup, scan.number());
  t << scan.at();
}

/// `PID PID PID `
void rewrite_children(Text& t, const char* from) {
  Scan scan(from);
  for (long child = scan.number(); child; child = scan.number()) t << virtual_id(static_cast<int32_t>(child)) << " ";
}

constexpr ProcText kTexts[] = {{"stat", rewrite_stat, kSmall},
                               {"status", rewrite_lines, kSmall},
                               {"children", rewrite_children, kLarge},
                               {"fdinfo/", rewrite_lines, kLarge}};
constexpr ProcText kLocks{"locks", rewrite_locks, kLarge};

long make_file(const char* name, const Text& text, int flags) {
  ScopedFd memory(sys(__NR_memfd_create, name, MFD_CLOEXEC));
  if (!memory.ok()) return memory.get();
  if (long r = write_all(memory.get(), text.c_str(), text.size()); r < 0) return r;
  char path[64];
  Text(path) << "/proc/self/fd/" << memory.get();
  return sys(__NR_openat, AT_FDCWD, path, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)), 0);
}

/// `memory`: twice the room that the text gets. `fd` is the kernel's file.
long rewrite_in(char* memory, const ProcText& kind, int fd, int flags) {
  char *from = memory, *to = memory + kind.room;
  long n = pread_all(fd, from, kind.room - 1, 0);
  if (n < 0) return n;
  from[n] = 0;
  Text text(to, kind.room);
  kind.rewrite(text, from);
  bool whole = static_cast<size_t>(n) < kind.room - 1 && !text.overflow();
  return whole ? make_file(kind.name, text, flags) : -EFBIG;
}

__attribute__((noinline)) long rewrite_on_stack(const ProcText& kind, int fd, int flags) {
  char memory[2 * kSmall];
  return rewrite_in(memory, kind, fd, flags);
}

long rewrite_in_pages(const ProcText& kind, int fd, int flags) {
  void* memory = map_pages(2 * kind.room);
  if (!memory) return -ENOMEM;
  long r = rewrite_in(static_cast<char*>(memory), kind, fd, flags);
  unmap_pages(memory, 2 * kind.room);
  return r;
}

}  // namespace

const ProcText* proc_text(const char* rest) {
  for (const ProcText& kind : kTexts)
    if (text_ends(kind.name, "/") ? text_starts(rest + 1, kind.name) && rest[1 + text_length(kind.name)]
                                  : text_equal(rest + 1, kind.name))
      return &kind;
  return nullptr;
}

const ProcText* common_proc_text(const char* path) {
  return text_equal(path, "/proc/locks") ? &kLocks : nullptr;
}

long open_rewritten(const ProcText& kind, int directory, const char* real_path, int flags) {
  ScopedFd original(sys(__NR_openat, directory, real_path, flags, 0));
  if (!original.ok()) return original.get();
  long fd = (kind.room > kSmall ? rewrite_in_pages : rewrite_on_stack)(kind, original.get(), flags);
  return fd < 0 ? original.release() : fd;
}

}  // namespace mig
