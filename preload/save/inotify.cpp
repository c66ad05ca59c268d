// inotify: which watch is on which path.
//
// The kernel shows a watch's number, mask and inode, not its path; so the paths are noted as watches are made. A note
// counts only if its path leads to the inode that the kernel shows, so notes of instances that were closed do no
// harm; they are dropped when the table would grow.
//
// Events that wait to be read cannot be put back into a new instance; while there are any, a checkpoint is refused.
#include "preload/save/inotify.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "preload/mark.h"
#include "preload/wrap/hook.h"

namespace mig {
namespace {

struct Note {
  int32_t fd, watch;
  uint32_t path;  ///< offset in `texts`
  uint32_t reserved;
};

/// For the life of the program: no destructor.
struct Lasting : Pages {
  static constexpr bool kGivesBack = false;
};
Array<Note, Lasting> notes;
Array<char, Lasting> texts;
size_t limit = 256;  ///< notes, before the next clean-up
uint32_t table_lock;

/// Held for a few stores, by wrappers under a Mark: no checkpoint finds it taken.
class Guard {
 public:
  Guard() {
    while (__atomic_exchange_n(&table_lock, 1, __ATOMIC_ACQUIRE)) sys(__NR_sched_yield);
  }
  ~Guard() { __atomic_store_n(&table_lock, 0, __ATOMIC_RELEASE); }
};

bool is_alive(const Note& n) {
  bool alive = false;
  each_fdinfo_line(n.fd, [&](const char* line) {
    if (text_starts(line, "inotify wd:")) alive = alive || static_cast<int32_t>(Scan(line + 11).hex()) == n.watch;
    return !alive;
  });
  return alive;
}

void drop_dead() {
  size_t kept = 0, used = 0;
  for (size_t i = 0; i < notes.size(); ++i) {
    if (!is_alive(notes[i])) continue;
    Note n = notes[i];
    size_t length = strlen(&texts[n.path]) + 1;
    memmove(&texts[used], &texts[n.path], length);
    n.path = static_cast<uint32_t>(used);
    used += length;
    notes[kept++] = n;
  }
  notes.resize_down(kept);
  texts.resize_down(used);
  limit = kept * 2 < 256 ? 256 : kept * 2;
}

void forget(int fd, int watch) {
  for (Note& n : notes)
    if (n.fd == fd && n.watch == watch) n.fd = -1;
}

void note(int fd, int watch, const char* path) {
  char here[4096] = "";
  if (path[0] != '/') {
    if (sys(__NR_getcwd, here, sizeof here) <= 0) return;
    if (here[1]) text_copy(here + strlen(here), "/", 2);
  }
  Guard guard;
  forget(fd, watch);
  if (notes.size() >= limit || texts.size() >= limit * 1024) drop_dead();
  size_t a = strlen(here), b = strlen(path) + 1, at = texts.size();
  char* to = texts.add(a + b);
  if (!to || !notes.push({fd, watch, static_cast<uint32_t>(at), 0})) return;
  memcpy(to, here, a);
  memcpy(to + a, path, b);
}

struct Shown {
  int32_t watch;
  uint64_t inode, device;
  uint32_t mask;
};

bool parse(const char* line, Shown& s) {
  if (!text_starts(line, "inotify wd:")) return false;
  Scan scan(line + 11);
  s.watch = static_cast<int32_t>(scan.hex());
  s.inode = scan.after(':').hex();
  uint64_t device = scan.after(':').hex();  // the kernel's own form: 12 bits major, 20 bits minor
  s.device = device;
  s.mask = static_cast<uint32_t>(scan.after(':').hex());
  return true;
}

const char* path_of(const Shown& s, uint32_t mask) {
  int flags = mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
  for (size_t i = notes.size(); i--;) {
    struct stat st;
    if (notes[i].fd < 0 || notes[i].watch != s.watch) continue;
    if (sys(__NR_newfstatat, AT_FDCWD, &texts[notes[i].path], &st, flags) == 0 && st.st_ino == s.inode)
      return &texts[notes[i].path];
  }
  return nullptr;
}

}  // namespace

bool save_inotify(Saving& saving, OpenDescription& d) {
  int waiting = 0;
  sys(__NR_ioctl, d.fd, FIONREAD, &waiting);
  if (waiting) return unsupported(d, "events wait in it that have not been read; ask again in a moment");
  if (!saving.write(d, DescriptionKind::kInotify)) return false;
  if (!owns(d)) return true;
  bool ok = true;
  each_fdinfo_line(d.fd, [&](const char* line) {
    Shown s{};
    if (!parse(line, s)) return true;
    const char* path = path_of(s, s.mask);
    if (!path) return ok = unsupported(d, "the path of one of its watches is not known any more");
    InotifyWatchRecord r{d.record.id, s.watch, s.mask, 0};
    return ok = saving.extra(RecordType::kInotifyWatch, r, path, strlen(path) + 1);
  });
  return ok;
}

MIG_ORIGINAL(inotify_add_watch);
MIG_ORIGINAL(inotify_rm_watch);

}  // namespace mig

using namespace mig;

MIG_EXPORT int inotify_add_watch(int fd, const char* path, uint32_t mask) noexcept {
  Mark mark;
  int watch = original_inotify_add_watch(fd, path, mask);
  if (watch >= 0 && path) {
    int error = errno;
    note(fd, watch, path);
    errno = error;
  }
  return watch;
}

MIG_EXPORT int inotify_rm_watch(int fd, int watch) noexcept {
  Mark mark;
  int r = original_inotify_rm_watch(fd, watch);
  if (r == 0) {
    Guard guard;
    forget(fd, watch);
  }
  return r;
}
