// What was written to a file after the checkpoint: kept as PATH.mig-tail-N when the file is cut back.
//
// The tail is copied while the restart can still be given up, into a file without a name (O_TMPFILE) in the same
// directory; the commit links it. Where the directory or its file system does not allow that, it goes to $TMPDIR or /tmp.
#include "restore/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <initializer_list>

#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr size_t kPiece = 64 << 10;
char* piece;

void split(const char* path, char* directory, size_t size, const char** base) {
  text_copy(directory, path, size);
  size_t slash = 0;
  for (size_t i = 0; directory[i]; ++i)
    if (directory[i] == '/') slash = i;
  *base = path + slash + 1;
  directory[slash ? slash : 1] = 0;
}

uint64_t size_of(int fd) {
  struct stat st;
  return sys(__NR_fstat, fd, &st) < 0 ? 0 : static_cast<uint64_t>(st.st_size);
}

bool is_first_of_its_file(const PreparedDescription& p) {
  for (const PreparedDescription& other : all_descriptions()) {
    if (&other == &p) return true;
    if ((other.record.flags & kDescriptionWritten) && other.record.inode == p.record.inode &&
        other.record.device == p.record.device)
      return false;
  }
  return true;
}

void copy_tail(const PreparedDescription& p, const char* path, int to) {
  DescriptorPath link(p.fd);
  ScopedFd in(open_path(link.text, O_RDONLY));
  if (!in.ok()) give_up(Error::kNotPermitted, path, "read what was written to it after the checkpoint", in.get());
  if (!piece) piece = static_cast<char*>(home_memory(kPiece));
  for (uint64_t at = p.record.size;;) {
    long n = pread_all(in.get(), piece, kPiece, at);
    if (n == 0) return;
    if (n > 0 && write_all(to, piece, static_cast<size_t>(n)) < 0) n = -ENOSPC;
    if (n < 0) give_up(Error::kResourceFailed, path, "keep what was written to it after the checkpoint", n);
    at += static_cast<uint64_t>(n);
  }
}

/// Gives the nameless file a name; returns whether it could.
bool link_tail(int fd, const char* directory, const char* base, char* name, size_t size) {
  DescriptorPath link(fd);
  for (int i = 1; i < 10000; ++i) {
    Text(name, size) << directory << "/" << base << ".mig-tail-" << i;
    long r = sys(__NR_linkat, AT_FDCWD, link.text, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
    if (r != -EEXIST) return r == 0;
  }
  return false;
}

}  // namespace

void prepare_tail(PreparedDescription& p, const char* path) {
  if (!(p.record.flags & kDescriptionWritten) || size_of(p.fd) <= p.record.size || !is_first_of_its_file(p)) return;
  char directory[4200];
  const char* base;
  split(path, directory, sizeof directory, &base);
  long fd = -ENOENT;
  for (const char* d : {const_cast<const char*>(directory), temporary_directory(), "/tmp"})
    if (fd < 0 && d && *d) fd = open_path(d, O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) give_up(Error::kNotPermitted, path, "keep what was written to it after the checkpoint", fd);
  p.helper = move_aside(path, fd);
  copy_tail(p, path, p.helper);
}

void cut_back(PreparedDescription& p) {
  if (p.helper < 0) return;
  char from[4200], directory[4200], name[4400];
  DescriptorPath link(p.fd), tail(p.helper);
  long n = sys(__NR_readlink, link.text, from, sizeof from - 1);
  from[n > 0 ? n : 0] = 0;
  const char* base;
  split(from, directory, sizeof directory, &base);
  const char* temporary = temporary_directory();
  bool kept = false;
  for (const char* d : {const_cast<const char*>(directory), temporary, "/tmp"})
    kept = kept || (d && *d && link_tail(p.helper, d, base, name, sizeof name));
  if (!kept) give_up(Error::kResourceFailed, from, "what was written after the checkpoint cannot be kept");
  if (long r = sys(__NR_ftruncate, p.fd, p.record.size); r < 0) give_up(Error::kResourceFailed, from, "cut it back", r);
  char what[4500];
  Text(what) << "cut back to the checkpoint; what was written after it is in " << name;
  tell(from, what);
}

}  // namespace mig
