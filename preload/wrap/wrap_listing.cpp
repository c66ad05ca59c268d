// Wrappers: reading directories, for the numbers that /proc lists (preload/wrap/proc_paths.h).
//
// A longer number may not fit into its entry: then the entry is returned in a buffer of ours, one for processes and
// one for threads, so that a walk through the threads of each process keeps the process's entry.
//
// scandir and glob read directories inside libc: where such a listing is concerned, the first is done here, and the second is told to
// read by these wrappers (GLOB_ALTDIRFUNC).
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/listing.h"
#include "preload/wrap/proc_paths.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(readdir);
MIG_ORIGINAL(readdir64);
MIG_ORIGINAL(scandirat);
MIG_ORIGINAL(scandirat64);
MIG_ORIGINAL(glob);
MIG_ORIGINAL(glob64);

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <class Entry>
Entry* renamed(Entry* e, int32_t number, Listing listing) {
  static Entry buffers[2];
  char name[16];
  Text text(name);
  text << number;
  if (text_equal(name, e->d_name)) return e;
  if (offsetof(Entry, d_name) + text.size() + 1 > e->d_reclen) {
    Entry* copy = &buffers[listing == Listing::kThreads];
    memcpy(copy, e, offsetof(Entry, d_name));
    e = copy;
  }
  memcpy(e->d_name, name, text.size() + 1);
  return e;
}

template <class Original, class Entry>
Entry* next(Original& original, DIR* directory) {
  for (;;) {
    Entry* e = original(directory);
    if (!e || !ids_moved() || !is_digit(e->d_name[0])) return e;
    Listing listing = listing_of(dirfd(directory));
    if (listing == Listing::kOther) return e;
    int32_t number = listed_id(e->d_name);
    if (number) return number > 0 ? renamed(e, number, listing) : e;
  }
}

/// A directory whose names are numbers, opened, or nullptr.
DIR* open_listing(int directory, const char* path) {
  if (!may_be_moved(path)) return nullptr;
  long fd = open_in_proc(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return nullptr;
  DIR* d = listing_of(static_cast<int>(fd)) != Listing::kOther ? fdopendir(static_cast<int>(fd)) : nullptr;
  if (!d) sys(__NR_close, fd);
  return d;
}

template <class Entry>
struct Entries {
  Entry** list = nullptr;
  size_t count = 0;

  bool add(const Entry& e) {
    if ((count & (count - 1)) == 0) {
      void* more = realloc(list, (count ? 2 * count : 1) * sizeof(void*));
      if (!more) return false;
      list = static_cast<Entry**>(more);
    }
    size_t size = offsetof(Entry, d_name) + strlen(e.d_name) + 1;
    auto copy = static_cast<Entry*>(malloc(size));
    if (!copy) return false;
    memcpy(copy, &e, size);
    list[count++] = copy;
    return true;
  }
  int fail() {
    while (count) free(list[--count]);
    free(list);
    errno = ENOMEM;
    return -1;
  }
};

template <class Entry>
int scan(DIR* d, Entry* read(DIR*), Entry*** list, int (*choose)(const Entry*), int (*compare)(const Entry**, const Entry**)) {
  Entries<Entry> found;
  bool ok = true;
  while (Entry* e = ok ? read(d) : nullptr)
    if (!choose || choose(e)) ok = found.add(*e);
  closedir(d);
  if (!ok) return found.fail();
  if (compare && found.count)
    qsort(found.list, found.count, sizeof(void*), reinterpret_cast<int (*)(const void*, const void*)>(compare));
  *list = found.list;
  return static_cast<int>(found.count);
}

template <class Globbed, class Entry, class Status>
int glob_with(int (*original)(const char*, int, int (*)(const char*, int), Globbed*), const char* pattern, int flags,
              int (*on_error)(const char*, int), Globbed* found, Entry* read(DIR*), int status(const char*, Status*) noexcept,
              int link_status(const char*, Status*) noexcept) {
  if (pattern && pattern[0] == '/' && may_be_moved(pattern) && !(flags & GLOB_ALTDIRFUNC)) {
    flags |= GLOB_ALTDIRFUNC;
    found->gl_opendir = [](const char* path) -> void* { return opendir(path); };
    found->gl_closedir = [](void* d) { closedir(static_cast<DIR*>(d)); };
    found->gl_readdir = reinterpret_cast<Entry* (*)(void*)>(read);
    found->gl_stat = reinterpret_cast<decltype(found->gl_stat)>(status);
    found->gl_lstat = reinterpret_cast<decltype(found->gl_lstat)>(link_status);
  }
  return original(pattern, flags, on_error, found);
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT dirent* readdir(DIR* directory) {
  return next<decltype(original_readdir), dirent>(original_readdir, directory);
}
MIG_EXPORT dirent64* readdir64(DIR* directory) {
  return next<decltype(original_readdir64), dirent64>(original_readdir64, directory);
}

MIG_EXPORT int scandirat(int directory, const char* path, dirent*** list, int (*choose)(const dirent*),
                         int (*compare)(const dirent**, const dirent**)) {
  if (DIR* d = open_listing(directory, path)) return scan<dirent>(d, readdir, list, choose, compare);
  return with_path(directory, path,
                   [&](int from, const char* real) { return original_scandirat(from, real, list, choose, compare); });
}
MIG_EXPORT int scandirat64(int directory, const char* path, dirent64*** list, int (*choose)(const dirent64*),
                           int (*compare)(const dirent64**, const dirent64**)) {
  if (DIR* d = open_listing(directory, path)) return scan<dirent64>(d, readdir64, list, choose, compare);
  return with_path(directory, path,
                   [&](int from, const char* real) { return original_scandirat64(from, real, list, choose, compare); });
}
MIG_EXPORT int scandir(const char* path, dirent*** list, int (*choose)(const dirent*),
                       int (*compare)(const dirent**, const dirent**)) {
  return scandirat(AT_FDCWD, path, list, choose, compare);
}
MIG_EXPORT int scandir64(const char* path, dirent64*** list, int (*choose)(const dirent64*),
                         int (*compare)(const dirent64**, const dirent64**)) {
  return scandirat64(AT_FDCWD, path, list, choose, compare);
}

MIG_EXPORT int glob(const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found) noexcept {
  return glob_with<glob_t, dirent>(original_glob.get(), pattern, flags, on_error, found, readdir, stat, lstat);
}
MIG_EXPORT int glob64(const char* pattern, int flags, int (*on_error)(const char*, int), glob64_t* found) noexcept {
  return glob_with<glob64_t, dirent64>(original_glob64.get(), pattern, flags, on_error, found, readdir64, stat64, lstat64);
}

MIG_EXPORT ssize_t getdents64(int directory, void* buffer, size_t size) noexcept {
  return with_errno(list_directory(directory, buffer, size));
}
