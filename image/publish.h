// How an image appears: complete, on disk, and under its final name, or not at all.
//
// Images stand in IMAGES/N, N counting from 1; while one is written it is IMAGES/.N.partial-PID. publish()
// syncs every file of it, renames it into place and lets the symbolic link `latest` point at it. Whoever
// loses power or is killed on the way leaves either the old state or the new one. (A `latest` that reached the disk before its
// image did leads nowhere and is passed over.) Pruning renames a directory out of sight before it removes it, so that no
// half-removed image is ever seen under a number.
//
// The disk is given all files before the first of them is waited for. File by file, each waits for a commit of its own of
// the file system's journal: a few milliseconds, as long as writing ten megabytes takes.
//
// Freestanding, used by mig and, when no mig waits, by the library itself. Results: 0 or a negative error
// number.
#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

constexpr int kPublishDepth = 4;  ///< directories within an image, with room
constexpr unsigned kRenameNoReplace = 1;

/// The number that a name consists of, or 0.
inline uint64_t image_number(const char* name) {
  uint64_t n = 0;
  if (*name < '1' || *name > '9') return 0;
  for (; *name; ++name) {
    if (*name < '0' || *name > '9' || n > UINT64_MAX / 10 - 1) return 0;
    n = n * 10 + static_cast<uint64_t>(*name - '0');
  }
  return n;
}

/// Some file systems cannot sync some things; only a true failure counts.
inline long sync_fd(int fd) {
  long r = sys(__NR_fsync, fd);
  return r == -EINVAL || r == -EROFS || r == -ENOSYS ? 0 : r;
}

inline long sync_path(int dir, const char* name, int flags) {
  ScopedFd fd(open_at(dir, name, flags | O_NOFOLLOW));
  return fd.ok() ? sync_fd(fd.get()) : fd.get();
}

/// Lets the disk begin with what the files in the directory hold, and does not wait for it.
inline void begin_sync(int dir) {
  sys(__NR_lseek, dir, 0L, 0);
  each_entry(dir, [&](const char* name, unsigned char) {
    ScopedFd fd(open_at(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
    if (fd.ok()) sys(__NR_sync_file_range, fd.get(), 0L, 0L, SYNC_FILE_RANGE_WRITE);
    return true;
  });
  sys(__NR_lseek, dir, 0L, 0);
}

/// Syncs the files below the directory, then the directory itself.
inline long sync_tree(int dir, int depth = 0) {
  long error = 0;
  begin_sync(dir);
  long r = each_entry(dir, [&](const char* name, unsigned char) {
    ScopedFd sub(open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (sub.ok() && depth < kPublishDepth) error = sync_tree(sub.get(), depth + 1);
    else error = sync_path(dir, name, O_RDONLY | O_NONBLOCK);
    return error == 0;
  });
  if (error) return error;
  return r < 0 ? r : sync_fd(dir);
}

/// Removes everything in the directory, not the directory.
inline long remove_contents(int dir, int depth = 0) {
  long error = 0;
  for (bool again = true; again && !error;) {  // removing while listing may skip entries
    again = false;
    sys(__NR_lseek, dir, 0L, 0);
    long r = each_entry(dir, [&](const char* name, unsigned char) {
      error = sys(__NR_unlinkat, dir, name, 0);
      if ((error == -EISDIR || error == -EPERM) && depth < kPublishDepth) {
        ScopedFd sub(open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        if (sub.ok()) error = remove_contents(sub.get(), depth + 1);
        if (sub.ok() && !error) error = sys(__NR_unlinkat, dir, name, AT_REMOVEDIR);
      }
      again = again || !error;
      return error == 0;
    });
    if (r < 0) return r;
  }
  return error;
}

inline long remove_tree(const char* path) {
  {
    ScopedFd dir(open_path(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!dir.ok()) return dir.get();
    if (long r = remove_contents(dir.get())) return r;
  }
  return sys(__NR_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

/// The number behind the last slash of an image's path, or 0.
inline uint64_t image_number_of(const char* path) {
  const char* name = path;
  for (const char* p = path; *p; ++p)
    if (*p == '/' && p[1]) name = p + 1;
  return image_number(name);
}

inline bool image_complete(int images, uint64_t number) {
  char path[64];
  Text(path) << number << "/manifest.json";
  struct stat st;
  return sys(__NR_newfstatat, images, path, &st, 0) == 0 && st.st_size > 0;
}

/// The highest number in the directory, or 0.
inline uint64_t highest_image_number(int images) {
  uint64_t highest = 0;
  sys(__NR_lseek, images, 0L, 0);
  each_entry(images, [&](const char* name, unsigned char) {
    uint64_t n = image_number(name);
    highest = n > highest ? n : highest;
    return true;
  });
  return highest;
}

/// One more than the highest number in the directory (which may not exist yet).
inline uint64_t next_image_number(const char* images_dir) {
  ScopedFd images(open_path(images_dir, O_RDONLY | O_DIRECTORY));
  return images.ok() ? highest_image_number(images.get()) + 1 : 1;
}

/// Renames without replacing; where the file system cannot promise that (NFS), by looking first.
inline long rename_new(const char* from, const char* to) {
  long r = sys(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, kRenameNoReplace);
  if (r != -EINVAL && r != -ENOSYS) return r;
  struct stat st;
  if (sys(__NR_newfstatat, AT_FDCWD, to, &st, AT_SYMLINK_NOFOLLOW) == 0) return -EEXIST;
  return sys(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/// Lets IMAGES/latest point at the image of that number. A file system without symbolic links has no `latest`.
inline long point_latest_at(int images, uint64_t number) {
  char name[32], temporary[64];
  Text(name) << number;
  Text(temporary) << ".latest." << sys(__NR_getpid);
  sys(__NR_unlinkat, images, temporary, 0);
  long r = sys(__NR_symlinkat, name, images, temporary);
  if (r == -EPERM || r == -EOPNOTSUPP) return 0;
  if (failed(r)) return r;
  r = sys(__NR_renameat, images, temporary, images, "latest");
  if (failed(r)) sys(__NR_unlinkat, images, temporary, 0);
  return r;
}

/// Others may publish meanwhile: whoever points looks once more, so the last to point has seen all images.
inline long point_latest(int images) {
  for (uint64_t number = highest_image_number(images), before = 0; number != before; number = highest_image_number(images)) {
    if (long r = point_latest_at(images, number); failed(r)) return r;
    before = number;
  }
  return 0;
}

/// Makes the complete image in `partial_dir` durable and visible as `final_dir`, which is IMAGES/N. -EEXIST:
/// the number is taken; nothing has changed, and the caller may try the next.
inline long publish(const char* partial_dir, const char* final_dir, const char* images_dir) {
  {
    ScopedFd partial(open_path(partial_dir, O_RDONLY | O_DIRECTORY));
    if (!partial.ok()) return partial.get();
    if (long r = sync_tree(partial.get())) return r;
  }
  ScopedFd images(open_path(images_dir, O_RDONLY | O_DIRECTORY));
  if (!images.ok()) return images.get();
  if (long r = rename_new(partial_dir, final_dir); failed(r)) return r;
  if (image_number_of(final_dir))
    if (long r = point_latest(images.get()); failed(r)) return r;
  return sync_fd(images.get());
}

constexpr int kNumberTries = 100;

/// The same under the next free number if somebody else has taken that of `final_dir` meanwhile, which is changed to it.
template <size_t N>
long publish_as_next(const char* partial_dir, char (&final_dir)[N], const char* images_dir) {
  long r = publish(partial_dir, final_dir, images_dir);
  for (int tries = 1; r == -EEXIST && tries < kNumberTries; ++tries) {
    Text(final_dir) << images_dir << "/" << next_image_number(images_dir);
    r = publish(partial_dir, final_dir, images_dir);
  }
  return r;
}

/// Removes IMAGES/NUMBER: out of sight first.
inline long remove_image(const char* images_dir, uint64_t number) {
  char from[4200], to[4200];
  Text(from) << images_dir << "/" << number;
  Text(to) << images_dir << "/." << number << ".pruned-" << sys(__NR_getpid);
  long r = sys(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, kRenameNoReplace);
  if (r == -EINVAL || r == -ENOSYS) r = sys(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  return failed(r) ? r : remove_tree(to);
}

/// Keeps the newest `keep` complete images (0: all) and never removes what is not a complete, numbered image. Somebody else may
/// do the same meanwhile.
inline long prune_images(const char* images_dir, uint32_t keep) {
  if (!keep) return 0;
  ScopedFd images(open_path(images_dir, O_RDONLY | O_DIRECTORY));
  if (!images.ok()) return images.get();
  for (;;) {
    uint64_t complete = 0, oldest = 0;
    sys(__NR_lseek, images.get(), 0L, 0);
    long r = each_entry(images.get(), [&](const char* name, unsigned char) {
      uint64_t n = image_number(name);
      if (!n || !image_complete(images.get(), n)) return true;
      ++complete;
      oldest = !oldest || n < oldest ? n : oldest;
      return true;
    });
    if (r < 0) return r;
    if (complete <= keep) return 0;
    long e = remove_image(images_dir, oldest);
    if (failed(e) && e != -ENOENT) return e;
  }
}

}  // namespace mig
