// Wrappers of calls that take a path, for what lies under /proc (preload/wrap/proc_paths.h). Before the first restart each
// is one compare and libc's own function.
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/proc_paths.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

Hook<int (*)(const char*, int, mode_t), "open"> original_open;
Hook<int (*)(const char*, int, mode_t), "open64"> original_open64;
Hook<int (*)(int, const char*, int, mode_t), "openat"> original_openat;
Hook<int (*)(int, const char*, int, mode_t), "openat64"> original_openat64;
Hook<int (*)(const char*, int), "__open_2"> original_open_2;
Hook<int (*)(const char*, int), "__open64_2"> original_open64_2;
Hook<int (*)(int, const char*, int), "__openat_2"> original_openat_2;
Hook<int (*)(int, const char*, int), "__openat64_2"> original_openat64_2;
MIG_ORIGINAL(fopen);
MIG_ORIGINAL(fopen64);
MIG_ORIGINAL(freopen);
MIG_ORIGINAL(freopen64);
MIG_ORIGINAL(access);
MIG_ORIGINAL(eaccess);
MIG_ORIGINAL(euidaccess);
MIG_ORIGINAL(faccessat);
MIG_ORIGINAL(chdir);
MIG_ORIGINAL(opendir);
MIG_ORIGINAL(realpath);
MIG_ORIGINAL(canonicalize_file_name);
MIG_ORIGINAL(statx);

/// stat(2) and its kin are functions of libc since 2.33; before, headers called these with a version number.
template <class Buffer>
using StatByVersion = int (*)(int, const char*, Buffer*);
template <class Buffer>
using StatAtByVersion = int (*)(int, int, const char*, Buffer*, int);
Hook<StatByVersion<struct stat>, "__xstat"> original_xstat;
Hook<StatByVersion<struct stat>, "__lxstat"> original_lxstat;
Hook<StatByVersion<struct stat64>, "__xstat64"> original_xstat64;
Hook<StatByVersion<struct stat64>, "__lxstat64"> original_lxstat64;
Hook<StatAtByVersion<struct stat>, "__fxstatat"> original_fxstatat;
Hook<StatAtByVersion<struct stat64>, "__fxstatat64"> original_fxstatat64;
constexpr int kStatVersion = 1;

bool has_mode(int flags) {
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}
mode_t mode_of(int flags, va_list args) {
  return has_mode(flags) ? va_arg(args, mode_t) : 0;
}

template <class Original>
int open_by(Original& original, const char* path, int flags, mode_t mode) {
  if (may_be_moved(path)) return int_with_errno(open_in_proc(AT_FDCWD, path, flags, static_cast<int>(mode)));
  return original(path, flags, mode);
}
template <class Original>
int openat_by(Original& original, int directory, const char* path, int flags, mode_t mode) {
  if (may_be_moved(path)) return int_with_errno(open_in_proc(directory, path, flags, static_cast<int>(mode)));
  return original(directory, path, flags, mode);
}

template <class Original>
FILE* fopen_by(Original& original, const char* path, const char* mode) {
  if (!may_be_moved(path)) return original(path, mode);
  if (mode[0] != 'r' || strchr(mode, '+') || !is_rewritten(AT_FDCWD, path))
    return with_real_path(AT_FDCWD, path, [&](int, const char* real) { return original(real, mode); });
  int fd = int_with_errno(open_in_proc(AT_FDCWD, path, O_RDONLY | (strchr(mode, 'e') ? O_CLOEXEC : 0), 0));
  return fd < 0 ? nullptr : fdopen(fd, mode);
}

/// What the kernel's structure and libc's have in common on x86-64: they are the same.
int stat_at(int directory, const char* path, void* buffer, int flags) {
  return with_path(directory, path,
                   [&](int from, const char* real) { return int_with_errno(sys(__NR_newfstatat, from, real, buffer, flags)); });
}

ssize_t link_at(int directory, const char* path, char* buffer, size_t size) {
  return with_errno(read_link_in_proc(directory, path, buffer, size));
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_by(original_open, path, flags, mode);
}
MIG_EXPORT int open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_by(original_open64, path, flags, mode);
}
MIG_EXPORT int openat(int directory, const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return openat_by(original_openat, directory, path, flags, mode);
}
MIG_EXPORT int openat64(int directory, const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return openat_by(original_openat64, directory, path, flags, mode);
}
MIG_EXPORT int __open_2(const char* path, int flags) {
  return may_be_moved(path) ? open_by(original_open, path, flags, 0) : original_open_2(path, flags);
}
MIG_EXPORT int __open64_2(const char* path, int flags) {
  return may_be_moved(path) ? open_by(original_open64, path, flags, 0) : original_open64_2(path, flags);
}
MIG_EXPORT int __openat_2(int directory, const char* path, int flags) {
  return may_be_moved(path) ? openat_by(original_openat, directory, path, flags, 0) : original_openat_2(directory, path, flags);
}
MIG_EXPORT int __openat64_2(int directory, const char* path, int flags) {
  return may_be_moved(path) ? openat_by(original_openat64, directory, path, flags, 0)
                            : original_openat64_2(directory, path, flags);
}

MIG_EXPORT FILE* fopen(const char* path, const char* mode) {
  return fopen_by(original_fopen, path, mode);
}
MIG_EXPORT FILE* fopen64(const char* path, const char* mode) {
  return fopen_by(original_fopen64, path, mode);
}
MIG_EXPORT FILE* freopen(const char* path, const char* mode, FILE* file) {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_freopen(real, mode, file); });
}
MIG_EXPORT FILE* freopen64(const char* path, const char* mode, FILE* file) {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_freopen64(real, mode, file); });
}

MIG_EXPORT int stat(const char* path, struct stat* buffer) noexcept {
  return stat_at(AT_FDCWD, path, buffer, 0);
}
MIG_EXPORT int stat64(const char* path, struct stat64* buffer) noexcept {
  return stat_at(AT_FDCWD, path, buffer, 0);
}
MIG_EXPORT int lstat(const char* path, struct stat* buffer) noexcept {
  return stat_at(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW);
}
MIG_EXPORT int lstat64(const char* path, struct stat64* buffer) noexcept {
  return stat_at(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW);
}
MIG_EXPORT int fstatat(int directory, const char* path, struct stat* buffer, int flags) noexcept {
  return stat_at(directory, path, buffer, flags);
}
MIG_EXPORT int fstatat64(int directory, const char* path, struct stat64* buffer, int flags) noexcept {
  return stat_at(directory, path, buffer, flags);
}
MIG_EXPORT int __xstat(int version, const char* path, struct stat* buffer) noexcept {
  return version == kStatVersion ? stat_at(AT_FDCWD, path, buffer, 0) : original_xstat(version, path, buffer);
}
MIG_EXPORT int __xstat64(int version, const char* path, struct stat64* buffer) noexcept {
  return version == kStatVersion ? stat_at(AT_FDCWD, path, buffer, 0) : original_xstat64(version, path, buffer);
}
MIG_EXPORT int __lxstat(int version, const char* path, struct stat* buffer) noexcept {
  return version == kStatVersion ? stat_at(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW) : original_lxstat(version, path, buffer);
}
MIG_EXPORT int __lxstat64(int version, const char* path, struct stat64* buffer) noexcept {
  return version == kStatVersion ? stat_at(AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)
                                 : original_lxstat64(version, path, buffer);
}
MIG_EXPORT int __fxstatat(int version, int directory, const char* path, struct stat* buffer, int flags) noexcept {
  return version == kStatVersion ? stat_at(directory, path, buffer, flags)
                                 : original_fxstatat(version, directory, path, buffer, flags);
}
MIG_EXPORT int __fxstatat64(int version, int directory, const char* path, struct stat64* buffer, int flags) noexcept {
  return version == kStatVersion ? stat_at(directory, path, buffer, flags)
                                 : original_fxstatat64(version, directory, path, buffer, flags);
}
MIG_EXPORT int statx(int directory, const char* path, int flags, unsigned mask, struct statx* buffer) noexcept {
  return with_path(directory, path, [&](int from, const char* real) { return original_statx(from, real, flags, mask, buffer); });
}

MIG_EXPORT int access(const char* path, int mode) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_access(real, mode); });
}
MIG_EXPORT int eaccess(const char* path, int mode) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_eaccess(real, mode); });
}
MIG_EXPORT int euidaccess(const char* path, int mode) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_euidaccess(real, mode); });
}
MIG_EXPORT int faccessat(int directory, const char* path, int mode, int flags) noexcept {
  return with_path(directory, path, [&](int from, const char* real) { return original_faccessat(from, real, mode, flags); });
}
MIG_EXPORT int chdir(const char* path) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_chdir(real); });
}

MIG_EXPORT ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
  return link_at(AT_FDCWD, path, buffer, size);
}
MIG_EXPORT ssize_t readlinkat(int directory, const char* path, char* buffer, size_t size) noexcept {
  return link_at(directory, path, buffer, size);
}
MIG_EXPORT ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t room) noexcept {
  if (size > room) abort();
  return link_at(AT_FDCWD, path, buffer, size);
}
MIG_EXPORT ssize_t __readlinkat_chk(int directory, const char* path, char* buffer, size_t size, size_t room) noexcept {
  if (size > room) abort();
  return link_at(directory, path, buffer, size);
}

MIG_EXPORT DIR* opendir(const char* path) {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_opendir(real); });
}
MIG_EXPORT char* realpath(const char* path, char* resolved) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_realpath(real, resolved); });
}
MIG_EXPORT char* canonicalize_file_name(const char* path) noexcept {
  return with_path(AT_FDCWD, path, [&](int, const char* real) { return original_canonicalize_file_name(real); });
}
MIG_EXPORT char* __realpath_chk(const char* path, char* resolved, size_t room) noexcept {
  if (room < 4096) abort();
  return realpath(path, resolved);
}
