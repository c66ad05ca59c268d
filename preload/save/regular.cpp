// Regular files, with and without a name; memfds; directories; files of /proc and /sys.
//
// A file counts as nameless when the path that the kernel shows leads to another inode or to none: unlinked, made
// with O_TMPFILE, replaced by a rename, or kept by an NFS client as .nfsXXXX. Its contents travel in the image.
#include "preload/save/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "preload/save/contents.h"
#include "preload/save/locks.h"
#include "preload/save/named_memory.h"

#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif

namespace mig {
namespace {

constexpr char kDeleted[] = " (deleted)";

uint64_t file_system_of(const OpenDescription& d, uint64_t* block = nullptr) {
  struct statfs s {};
  sys(__NR_fstatfs, d.fd, &s);
  if (block) *block = static_cast<uint64_t>(s.f_bsize);
  return static_cast<uint64_t>(s.f_type);
}

bool is_kernel_file(uint64_t magic) {
  return magic == PROC_SUPER_MAGIC || magic == SYSFS_MAGIC || magic == CGROUP_SUPER_MAGIC || magic == CGROUP2_SUPER_MAGIC ||
         magic == DEBUGFS_MAGIC || magic == TRACEFS_MAGIC || magic == SECURITYFS_MAGIC || magic == BPF_FS_MAGIC;
}

bool is_queue(const OpenDescription& d) {
  return file_system_of(d) == 0x19800202;  // MQUEUE_MAGIC of the kernel's ipc/mqueue.c
}

/// /proc/PID/... of this process becomes /proc/self/...; its threads and other processes are refused.
bool save_proc(Saving& saving, OpenDescription& d) {
  if (text_starts(d.path, "/proc/") && d.path[6] >= '0' && d.path[6] <= '9') {
    Scan scan(d.path + 6);
    long pid = scan.number();
    if (pid != sys(__NR_getpid)) return unsupported(d, "a file of another process, which does not move with this one");
    if (text_starts(scan.at(), "/task/")) return unsupported(d, "a file of one thread under /proc");
    size_t n = strlen(scan.at());
    auto path = static_cast<char*>(scratch(n + 12));
    if (!path) return saving.out_of_memory();
    memcpy(path, "/proc/self", 10);
    memcpy(path + 10, scan.at(), n);
    d.path = path;
  }
  return saving.write(d, DescriptionKind::kProc);
}

bool has_name(const OpenDescription& d) {
  const char* base = d.path;
  for (const char* p = d.path; *p; ++p)
    if (*p == '/') base = p + 1;
  if (text_starts(base, ".nfs")) return false;
  struct stat st;
  return sys(__NR_newfstatat, AT_FDCWD, d.path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == d.record.inode &&
         st.st_dev == d.record.device;
}

/// The path without the kernel's remark.
bool cut_remark(OpenDescription& d) {
  if (!text_ends(d.path, kDeleted)) return true;
  size_t n = strlen(d.path) - (sizeof kDeleted - 1);
  auto path = static_cast<char*>(scratch(n + 1));
  if (!path) return false;
  memcpy(path, d.path, n);
  d.path = path;
  return true;
}

bool find_other_name(OpenDescription& d) {
  const char* path = other_name(d.path, d.record.inode, d.record.device);
  if (path) d.path = path;
  return path;
}

/// Reads the contents even if the program may only write.
bool save_contents(Saving& saving, OpenDescription& d) {
  if (saving.only_looking() || !owns(d) || !claim_object(object_of(d))) return true;
  if (can_read(d) && !(d.record.open_flags & O_DIRECT)) return save_file_contents(saving, d, d.fd);
  for (const OpenDescription& other : saving)
    if (same_object(other, d) && can_read(other) && !(other.record.open_flags & (O_DIRECT | O_PATH)))
      return save_file_contents(saving, d, other.fd);
  char link[48];
  Text(link) << "/proc/thread-self/fd/" << d.fd;
  ScopedProcessLocks locks(saving.begin(), saving.end(), d);
  ScopedFd fd(open_path(link, O_RDONLY));
  if (!fd.ok()) return unsupported(d, "it has no name any more, and the program may only write it: its contents cannot be read");
  return save_file_contents(saving, d, fd.get());
}

bool save_nameless_file(Saving& saving, OpenDescription& d) {
  d.record.flags |= kDescriptionUnlinked;
  carried(d, "it has no name any more: its contents travel in the image");
  if (d.links) degraded(d, "its name is gone, but it has another one somewhere: it comes back as a file of its own");
  return cut_remark(d) && saving.write(d, DescriptionKind::kRegular) && save_contents(saving, d);
}

bool travels_by_name(const OpenDescription& d) {
  return is_named_memory(d.path) && (object_facts(object_of(d)) & kHasContents);
}

bool save_named_memory(Saving& saving, OpenDescription& d) {
  d.record.flags |= kDescriptionUnlinked | kDescriptionNamed;
  carried(d, "memory with a name: its contents travel in the image");
  if (!saving.only_looking()) note_taken_along(d);
  return saving.write(d, DescriptionKind::kRegular) && save_contents(saving, d);
}

bool save_memfd(Saving& saving, OpenDescription& d) {
  uint64_t block = 0;
  d.record.flags |= kDescriptionUnlinked;
  long seals = sys(__NR_fcntl, d.fd, F_GET_SEALS);
  d.record.value[0] = seals > 0 ? static_cast<uint64_t>(seals) : 0;
  if (file_system_of(d, &block) == HUGETLBFS_MAGIC) d.record.value[1] = block;
  carried(d, "its contents travel in the image");
  return cut_remark(d) && saving.write(d, DescriptionKind::kMemfd) && save_contents(saving, d);
}

bool is_memfd(const OpenDescription& d) {
  return text_starts(d.path, "/memfd:");
}

}  // namespace

const char* other_name(const char* path, uint64_t inode, uint64_t device) {
  char directory[4200];
  text_copy(directory, path, sizeof directory);
  size_t slash = 0;
  for (size_t i = 0; directory[i]; ++i)
    if (directory[i] == '/') slash = i;
  directory[slash ? slash : 1] = 0;
  ScopedFd dir(open_path(directory, O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return nullptr;
  char* found = nullptr;
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    struct stat st;
    if (text_starts(name, ".nfs") || sys(__NR_newfstatat, dir.get(), name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != inode ||
        st.st_dev != device)
      return true;
    size_t size = strlen(directory) + strlen(name) + 2;
    found = static_cast<char*>(scratch(size));
    if (found) Text(found, size) << directory << (slash ? "/" : "") << name;
    return false;
  });
  return found;
}

bool enter_regular(OpenDescription& d) {
  bool nameless = is_memfd(d) || (d.path[0] == '/' && !text_starts(d.path, "/secretmem") && !is_kernel_file(file_system_of(d)) &&
                                  !has_name(d) && !(d.links && find_other_name(d)));
  d.has_contents = nameless;
  if (nameless) return note_object(object_of(d), kHasContents);
  return !is_named_memory(d.path) || enter_named_memory(d);
}

bool save_regular(Saving& saving, OpenDescription& d) {
  if (is_memfd(d)) return save_memfd(saving, d);
  if (text_starts(d.path, "/secretmem")) return unsupported(d, "secret memory cannot be read by anybody but its mappings");
  if (is_queue(d)) return unsupported(d, "a POSIX message queue: its messages can only be read by taking them");
  if (is_kernel_file(file_system_of(d))) return save_proc(saving, d);
  if (can_write(d)) d.record.flags |= kDescriptionWritten;
  if (d.has_contents) return save_nameless_file(saving, d);
  if (travels_by_name(d)) return save_named_memory(saving, d);
  return saving.write(d, DescriptionKind::kRegular);
}

bool save_directory(Saving& saving, OpenDescription& d) {
  if (is_kernel_file(file_system_of(d))) return save_proc(saving, d);
  if (!has_name(d)) {
    d.record.flags |= kDescriptionUnlinked;
    if (!cut_remark(d)) return saving.out_of_memory();
  }
  return saving.write(d, DescriptionKind::kDirectory);
}

}  // namespace mig
