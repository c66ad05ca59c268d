// Regular files, with and without a name; memfds; directories; whatever is simply opened by its path.
//
// A file that the program only reads must be as it was (size and time). One that it writes may have grown since: it is
// cut back at the commit to the length it had, and the tail is kept beside it (restore/tail.cpp). A nameless file is made
// anew, nameless: by O_TMPFILE where it was, else where temporary files belong. Descriptions of one nameless file
// share one, and so do its mappings (restore/mappings.cpp).
#include "restore/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <initializer_list>

#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/image_file.h"
#include "restore/options.h"
#include "restore/tail.h"

namespace mig {
namespace {

constexpr uint32_t kNotForOpen = O_CREAT | O_EXCL | O_TRUNC | O_ASYNC;
constexpr int kFutureWrite = 0x10;  // F_SEAL_FUTURE_WRITE

void reopen(PreparedDescription& p, const char* path, uint32_t flags) {
  flags &= ~kNotForOpen;
  if ((p.record.mode & S_IFMT) != S_IFDIR && !(flags & O_PATH)) flags &= ~O_TMPFILE;
  if ((p.record.mode & S_IFMT) == S_IFLNK) flags |= O_NOFOLLOW;
  else flags &= ~O_NOFOLLOW;
  long fd = open_file(path, static_cast<int>(flags));
  if (fd == -EPERM || fd == -EINVAL) fd = open_file(path, static_cast<int>(flags & ~(O_NOATIME | O_DIRECT)));
  if (fd == -ENOENT || fd == -ENOTDIR) give_up(Error::kFileMissing, path, "open", fd);
  if (fd < 0) give_up(Error::kResourceFailed, path, "open", fd);
  set_descriptor(p, fd);
}

void verify_unchanged(const PreparedDescription& p, const char* path) {
  struct stat st;
  sys(__NR_fstat, p.fd, &st);
  auto size = static_cast<uint64_t>(st.st_size);
  if ((st.st_mode & S_IFMT) != S_IFREG) give_up(Error::kFileChanged, path, "it was a regular file at the checkpoint");
  if (p.record.flags & kDescriptionWritten) {
    if (size < p.record.size)
      give_up(Error::kFileChanged, path, "the program writes it, and it is shorter than at the checkpoint");
    return;
  }
  bool written_elsewhere = false;
  for (const PreparedDescription& other : all_descriptions())
    written_elsewhere = written_elsewhere || (other.record.inode == p.record.inode && other.record.device == p.record.device &&
                                              (other.record.flags & kDescriptionWritten));
  if (written_elsewhere) return;
  if (size != p.record.size)
    give_up(Error::kFileChanged, path, "the program reads it, and its size has changed since the checkpoint");
  if (st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec != p.record.mtime)
    give_up(Error::kFileChanged, path, "the program reads it, and it was modified since the checkpoint");
}

/// Where a nameless file can be: the directory it was in, $TMPDIR, /tmp.
long make_nameless(const char* path) {
  char buffer[4200], directory[4200], name[4300];
  text_copy(directory, mapped_path(path, buffer, sizeof buffer), sizeof directory);
  size_t slash = 0;
  for (size_t i = 0; directory[i]; ++i)
    if (directory[i] == '/') slash = i;
  directory[slash ? slash : 1] = 0;
  long fd = -ENOENT;
  for (const char* d : {const_cast<const char*>(directory), temporary_directory(), "/tmp", "/dev/shm"}) {
    if (!d || !*d) continue;
    fd = open_path(d, O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0) return fd;
    Text(name) << d << "/.mig-" << sys(__NR_getpid);
    fd = open_path(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0) continue;
    sys(__NR_unlinkat, AT_FDCWD, name, 0);
    return fd;
  }
  return fd;
}

int object_for(PreparedDescription& p, long (*make)(const PreparedDescription&)) {
  int known = find_object(p.record.device, p.record.inode);
  if (known >= 0) return known;
  int fd = move_aside(p.path, make(p));
  if (long r = sys(__NR_ftruncate, fd, p.record.size); r < 0) give_up(Error::kResourceFailed, p.path, "give it its size", r);
  for (const PreparedDescription& d : all_descriptions())
    if (d.record.inode == p.record.inode && d.record.device == p.record.device) fill_file(d, fd);
  add_object(p, fd);
  p.helper = fd;
  return fd;
}

long make_memfd(const PreparedDescription& p) {
  const char* name = text_starts(p.path, "/memfd:") ? p.path + 7 : p.path;
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (p.record.value[1]) flags |= MFD_HUGETLB | static_cast<unsigned>(__builtin_ctzl(p.record.value[1])) << 26;
  return sys(__NR_memfd_create, name, flags);
}

void open_deleted_directory(PreparedDescription& p, const char* path) {
  long made = sys(__NR_mkdirat, AT_FDCWD, path, 0700);
  if (made < 0) give_up(Error::kResourceFailed, path, "make the removed directory again for a moment", made);
  reopen(p, path, p.record.open_flags);
  sys(__NR_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

// Memory with a name (preload/save/named_memory.h). A restart on the same host finds the file of the life before, and takes its name.

bool is_here(const char* path, struct stat& st) {
  return sys(__NR_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_old_file(const PreparedDescription& p, const struct stat& st) {
  utsname names{};
  sys(__NR_uname, &names);
  const char* host = image.text(TextRole::kHost);
  return st.st_ino == p.record.inode && st.st_dev == p.record.device && host && text_equal(host, names.nodename);
}

[[noreturn]] void name_taken(const char* path) {
  give_up(Error::kFileChanged, path,
          "the program's shared memory of that name travelled in the image, and here another file has the name");
}

void check_name(const PreparedDescription& p) {
  char buffer[4200];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  struct stat st;
  if (is_here(path, st) && !is_old_file(p, st)) name_taken(path);
}

/// Whoever comes first, of those that have the file.
void give_name(const PreparedDescription& p) {
  char buffer[4200], fresh[4300];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  int object = find_object(p.record.device, p.record.inode);
  DescriptorPath link(object);
  struct stat there, own;
  sys(__NR_fstat, object, &own);
  long r = sys(__NR_linkat, AT_FDCWD, link.text, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  if (r == -EEXIST && is_here(path, there)) {
    if (there.st_ino == own.st_ino && there.st_dev == own.st_dev) return;
    if (!is_old_file(p, there)) name_taken(path);
    Text(fresh) << path << ".mig-" << sys(__NR_getpid);
    r = sys(__NR_linkat, AT_FDCWD, link.text, AT_FDCWD, fresh, AT_SYMLINK_FOLLOW);
    if (r >= 0) r = sys(__NR_renameat, AT_FDCWD, fresh, AT_FDCWD, path);
    sys(__NR_unlinkat, AT_FDCWD, fresh, 0);
  }
  if (r < 0) give_up(Error::kResourceFailed, path, "give the program's shared memory its name", r);
}

}  // namespace

void open_regular(PreparedDescription& p) {
  if (p.record.flags & kDescriptionNamed) check_name(p);
  if (p.record.flags & kDescriptionUnlinked)
    return reopen_through(p, object_for(p, [](const PreparedDescription& d) { return make_nameless(d.path); }));
  char buffer[4200];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  reopen(p, path, p.record.open_flags);
  verify_unchanged(p, path);
  prepare_tail(p, path);
}

void finish_regular(PreparedDescription& p) {
  if (p.record.flags & kDescriptionNamed) give_name(p);
  if (p.record.flags & kDescriptionUnlinked) sys(__NR_fchmod, p.fd, p.record.mode & 07777);
  else cut_back(p);
  finish_position(p);
}

void open_memfd(PreparedDescription& p) {
  int object = object_for(p, make_memfd);
  reopen_through(p, object);
  auto early = static_cast<int>(p.record.value[0]) & ~(kFutureWrite | F_SEAL_SEAL);
  if (early) sys(__NR_fcntl, object, F_ADD_SEALS, early);
}

void finish_memfd(PreparedDescription& p) {
  int object = find_object(p.record.device, p.record.inode);
  sys(__NR_fchmod, object, p.record.mode & 07777);
  auto seals = static_cast<int>(p.record.value[0]);
  long now = sys(__NR_fcntl, object, F_GET_SEALS);
  if (now != seals) now = sys(__NR_fcntl, object, F_ADD_SEALS, seals);
  if (now < 0) give_up(Error::kResourceFailed, p.path, "seal it", now);
  finish_position(p);
}

void open_directory(PreparedDescription& p) {
  char buffer[4200];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  if (p.record.flags & kDescriptionUnlinked) return open_deleted_directory(p, path);
  reopen(p, path, p.record.open_flags);
}

void open_by_path(PreparedDescription& p) {
  char buffer[4200];
  reopen(p, mapped_path(p.path, buffer, sizeof buffer), p.record.open_flags);
}

void finish_position(PreparedDescription& p) {
  if (p.record.position) sys(__NR_lseek, p.fd, p.record.position, SEEK_SET);
}

}  // namespace mig
