// inotify: the same watches under the same numbers.
//
// The kernel numbers watches upwards. A number in between is passed over by a watch on a directory of /proc that is
// removed again; the events which that leaves (IN_IGNORED) are read away. Watches are set when everything else is done,
// so that the restart's own opening and closing of files is no event.
#include "restore/inotify.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr char kPlaceholder[] = "/proc/self/task";

void read_away(int fd) {
  alignas(8) char buffer[4096];
  while (sys(__NR_read, fd, buffer, sizeof buffer) > 0) {
  }
}

/// Uses up numbers until the next one is `watch`.
void pass_over(int fd, int& next, int watch) {
  for (int i = 0; next < watch; ++next) {
    long r = sys(__NR_inotify_add_watch, fd, kPlaceholder, IN_UNMOUNT);
    if (r < 0) give_up(Error::kResourceFailed, "an inotify instance", "number its watches", r);
    sys(__NR_inotify_rm_watch, fd, r);
    next = static_cast<int>(r);
    if (++i % 1000 == 0) read_away(fd);
  }
}

InotifyWatchRecord smallest_above(const PreparedDescription& p, int number, const char** path) {
  InotifyWatchRecord found{};
  each_extra<InotifyWatchRecord>(p, RecordType::kInotifyWatch, [&](const InotifyWatchRecord& w, const char* tail, size_t) {
    if (w.watch > number && (!found.watch || w.watch < found.watch)) found = w, *path = tail;
  });
  return found;
}

}  // namespace

void open_inotify(PreparedDescription& p) {
  set_descriptor(p, sys(__NR_inotify_init1, O_NONBLOCK));
  each_extra<InotifyWatchRecord>(p, RecordType::kInotifyWatch, [&](const InotifyWatchRecord&, const char* tail, size_t) {
    char buffer[4200];
    struct stat st;
    const char* path = mapped_path(tail, buffer, sizeof buffer);
    long r = sys(__NR_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
    if (r < 0) give_up(Error::kFileMissing, path, "it is watched by inotify", r);
  });
}

void settle_inotify(PreparedDescription& p, int fd) {
  int next = 1, last = 0;
  const char* path = nullptr;
  long flags = sys(__NR_fcntl, fd, F_GETFL);
  sys(__NR_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
  for (InotifyWatchRecord w; (w = smallest_above(p, last, &path)).watch; last = w.watch) {
    char buffer[4200];
    pass_over(fd, next, w.watch);
    long r = sys(__NR_inotify_add_watch, fd, mapped_path(path, buffer, sizeof buffer), w.mask);
    if (r != w.watch) give_up(Error::kResourceFailed, path, "watch it under the number that it had", r < 0 ? r : -EINVAL);
    next = w.watch + 1;
  }
  read_away(fd);
  sys(__NR_fcntl, fd, F_SETFL, flags);
}

}  // namespace mig
