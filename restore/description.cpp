// The kinds of thing that a descriptor can refer to, opened anew.
//
// Files: one that the program only reads must be as it was (size and time). One that it writes may have grown since: it is
// cut back at the commit to the length it had, and the tail is kept beside it.
#include "restore/description.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "image/base/file.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr uint32_t kNotForOpen = O_CREAT | O_EXCL | O_TRUNC;

int reopen(const PreparedDescription& p, const char* path) {
  long fd = open_path(path, static_cast<int>(p.record.open_flags & ~kNotForOpen));
  if (fd == -ENOENT || fd == -ENOTDIR) give_up(Error::kFileMissing, path, "open", fd);
  if (fd < 0) give_up(Error::kResourceFailed, path, "open", fd);
  return static_cast<int>(fd);
}

void verify_unchanged(const PreparedDescription& p, const char* path, int fd) {
  struct stat st;
  sys(__NR_fstat, fd, &st);
  if (p.record.flags & kDescriptionWritten) {
    if (static_cast<uint64_t>(st.st_size) < p.record.size)
      give_up(Error::kFileChanged, path, "the program writes it, and it is shorter than at the checkpoint");
    return;
  }
  if (static_cast<uint64_t>(st.st_size) != p.record.size)
    give_up(Error::kFileChanged, path, "the program reads it, and its size has changed since the checkpoint");
  if (st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec != p.record.mtime)
    give_up(Error::kFileChanged, path, "the program reads it, and it was modified since the checkpoint");
}

int open_regular(const PreparedDescription& p) {
  char buffer[4200];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  int fd = reopen(p, path);
  verify_unchanged(p, path, fd);
  return fd;
}

/// Moves what was written since the checkpoint into PATH.mig-tail-N.
void cut_back(const PreparedDescription& p, int64_t size) {
  char path[4300], link[64], from[4200];
  Text(link) << "/proc/self/fd/" << p.fd;
  long n = sys(__NR_readlink, link, from, sizeof from - 1);
  from[n > 0 ? n : 0] = 0;
  ScopedFd in(open_path(link, O_RDONLY)), out;
  for (int i = 1; i < 1000 && !out.ok(); ++i) {
    Text(path) << from << ".mig-tail-" << i;
    out.reset(open_path(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  }
  char buffer[4096];
  auto at = p.record.size;
  while (in.ok() && out.ok() && at < static_cast<uint64_t>(size)) {
    long got = pread_all(in.get(), buffer, sizeof buffer, at);
    if (got <= 0 || write_all(out.get(), buffer, static_cast<size_t>(got)) < 0) break;
    at += static_cast<uint64_t>(got);
  }
  if (at < static_cast<uint64_t>(size)) give_up(Error::kResourceFailed, from, "what was written after the checkpoint cannot be kept");
  if (long r = sys(__NR_truncate, link, p.record.size); r < 0) give_up(Error::kResourceFailed, from, "cut it back", r);
  char what[4400];
  Text(what) << "cut back to the checkpoint; what was written after it is in " << path;
  tell(from, what);
}

}  // namespace

int open_description(PreparedDescription& p, PreparedDescription*, PreparedDescription*) {
  char buffer[4200];
  switch (static_cast<DescriptionKind>(p.record.kind)) {
    case DescriptionKind::kRegular: return open_regular(p);
    case DescriptionKind::kDirectory:
    case DescriptionKind::kDevice: return reopen(p, mapped_path(p.path, buffer, sizeof buffer));
    case DescriptionKind::kInherited: {
      long fd = sys(__NR_dup, p.record.peer);
      if (fd < 0) fd = open_path("/dev/null", O_RDWR);
      return static_cast<int>(fd);
    }
    default: give_up(Error::kVersion, p.path, "an object of a kind that this version does not know");
  }
}

void finish_description(PreparedDescription& p) {
  auto kind = static_cast<DescriptionKind>(p.record.kind);
  if (kind != DescriptionKind::kRegular && kind != DescriptionKind::kDirectory) return;
  struct stat st;
  if ((p.record.flags & kDescriptionWritten) && sys(__NR_fstat, p.fd, &st) == 0 &&
      static_cast<uint64_t>(st.st_size) > p.record.size)
    cut_back(p, st.st_size);
  sys(__NR_lseek, p.fd, p.record.position, SEEK_SET);
}

}  // namespace mig
