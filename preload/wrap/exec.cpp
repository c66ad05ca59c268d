// Executing a program so that it stays covered, by the kernel's convention.
//
// The search in PATH is glibc's (posix/execvpe.c), made here because each candidate is looked at before it is executed.
#include "preload/wrap/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "preload/start.h"
#include "preload/wrap/executing.h"
#include "preload/wrap/proc_paths.h"

namespace mig {
namespace {

/// The environment covers the program already.
long execute_covered(const char* path, char* const argv[], char* const environment[]) {
  auto call = [&](int, const char* real) {
    Executing executing(AT_FDCWD, real, 0);
    return sys(__NR_execve, real, argv, environment);
  };
  return with_program(AT_FDCWD, path, call);
}

/// A script without #! is the shell's.
long execute_script(const char* file, char* const argv[], char* const environment[]) {
  size_t count = 0;
  while (argv[count]) ++count;
  if (count >= INT_MAX - 1) return -E2BIG;
  auto words = static_cast<const char**>(__builtin_alloca((count + 2 + !count) * sizeof(char*)));
  words[0] = "/bin/sh";
  words[1] = file;
  for (size_t i = 1; i < count; ++i) words[i + 1] = argv[i];
  words[count ? count + 1 : 2] = nullptr;
  return execute_covered(words[0], const_cast<char* const*>(words), environment);
}

long execute_or_script(const char* path, char* const argv[], char* const environment[]) {
  long r = execute_covered(path, argv, environment);
  return r == -ENOEXEC ? execute_script(path, argv, environment) : r;
}

const char* search_path() {
  for (char** e = environ; e && *e; ++e)
    if (strncmp(*e, "PATH=", 5) == 0) return *e + 5;
  return "/bin:/usr/bin";
}

bool looks_further(long result) {
  return result == -EACCES || result == -ENOENT || result == -ESTALE || result == -ENOTDIR || result == -ENODEV ||
         result == -ETIMEDOUT;
}

long search(const char* file, char* const argv[], char* const environment[]) {
  size_t length = strlen(file);
  if (length > NAME_MAX) return -ENAMETOOLONG;
  char path[PATH_MAX + NAME_MAX + 2];
  long result = -ENOENT;
  bool denied = false;
  for (const char *p = search_path(), *end; p; p = *end ? end + 1 : nullptr) {
    for (end = p; *end && *end != ':';) ++end;
    auto n = static_cast<size_t>(end - p);
    if (n >= PATH_MAX) continue;
    memcpy(path, p, n);
    if (n) path[n++] = '/';
    memcpy(path + n, file, length + 1);
    result = execute_or_script(path, argv, environment);
    if (!looks_further(result)) return result;
    denied = denied || result == -EACCES;
  }
  return denied ? -EACCES : result;
}

}  // namespace

MIG_START long execute(const char* path, char* const argv[], char* const environment[]) {
  return with_cover(environment, [&](char* const* covered) { return execute_covered(path, argv, covered); });
}

long execute_at(int directory, const char* path, char* const argv[], char* const environment[], int flags) {
  return with_cover(environment, [&](char* const* covered) {
    auto call = [&](int from, const char* real) {
      Executing executing(from, real, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
      return sys(__NR_execveat, from, real, argv, covered, flags);
    };
    return with_program(directory, path, call);
  });
}

MIG_START long execute_searched(const char* file, char* const argv[], char* const environment[]) {
  if (!*file) return -ENOENT;
  return with_cover(environment, [&](char* const* covered) {
    return strchr(file, '/') ? execute_or_script(file, argv, covered) : search(file, argv, covered);
  });
}

}  // namespace mig
