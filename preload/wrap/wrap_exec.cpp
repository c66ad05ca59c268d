// Wrappers: the exec family and posix_spawn. The new program stays covered whatever environment it is given.
//
// libc's own functions call each other inside, past the wrappers, so each that has an environment is wrapped. A child of
// posix_spawn is made and executes inside libc: it needs the right environment and nothing else, for it has no
// entry in the job's table.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

#include "preload/wrap/children.h"
#include "preload/wrap/exec.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/proc_paths.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(posix_spawn);
MIG_ORIGINAL(posix_spawnp);

/// With the null at the end.
size_t count_words(const char* first, va_list args) {
  va_list copy;
  va_copy(copy, args);
  size_t n = 1;
  for (const char* word = first; word; ++n) word = va_arg(copy, char*);
  va_end(copy);
  return n;
}

/// Reads the words and the null behind them; what follows it is left to the caller.
void read_words(char** words, const char* first, va_list args) {
  *words = const_cast<char*>(first);
  while (*words) *++words = va_arg(args, char*);
}

/// The number of the child, also for a program that does not ask.
template <class Spawn>
int spawned(pid_t* child, Spawn spawn) {
  int error = 0;
  pid_t pid = started_by([&] {
    pid_t real = 0;
    error = spawn(&real);
    return error ? 0 : real;
  });
  if (!error && child) *child = pid;
  return error;
}

}  // namespace
}  // namespace mig

using namespace mig;

/// `words`: those of execl(3) and its kin as an array on the stack.
#define MIG_WORDS(first)                                                                        \
  va_list args;                                                                                 \
  va_start(args, first);                                                                        \
  auto words = static_cast<char**>(__builtin_alloca(count_words(first, args) * sizeof(char*))); \
  read_words(words, first, args)

MIG_EXPORT int execve(const char* path, char* const argv[], char* const environment[]) noexcept {
  return int_with_errno(execute(path, argv, environment));
}
MIG_EXPORT int execv(const char* path, char* const argv[]) noexcept {
  return int_with_errno(execute(path, argv, environ));
}
MIG_EXPORT int execvpe(const char* file, char* const argv[], char* const environment[]) noexcept {
  return int_with_errno(execute_searched(file, argv, environment));
}
MIG_EXPORT int execvp(const char* file, char* const argv[]) noexcept {
  return int_with_errno(execute_searched(file, argv, environ));
}
MIG_EXPORT int execveat(int directory, const char* path, char* const argv[], char* const environment[], int flags) noexcept {
  return int_with_errno(execute_at(directory, path, argv, environment, flags));
}
MIG_EXPORT int fexecve(int fd, char* const argv[], char* const environment[]) noexcept {
  char* const* volatile words = argv;  // libc declares it to be no null pointer, and checks nevertheless
  if (fd < 0 || !words || !environment) return int_with_errno(-EINVAL);
  return int_with_errno(execute_at(fd, "", argv, environment, AT_EMPTY_PATH));
}

MIG_EXPORT int execl(const char* path, const char* first, ...) noexcept {
  MIG_WORDS(first);
  va_end(args);
  return int_with_errno(execute(path, words, environ));
}
MIG_EXPORT int execle(const char* path, const char* first, ...) noexcept {
  MIG_WORDS(first);
  auto environment = va_arg(args, char**);
  va_end(args);
  return int_with_errno(execute(path, words, environment));
}
MIG_EXPORT int execlp(const char* file, const char* first, ...) noexcept {
  MIG_WORDS(first);
  va_end(args);
  return int_with_errno(execute_searched(file, words, environ));
}

static bool is_absolute(const char* path) {
  return path && path[0] == '/';
}
MIG_EXPORT int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                           const posix_spawnattr_t* attributes, char* const argv[], char* const environment[]) {
  return with_cover(environment, [&](char* const* covered) {
    auto call = [&](int, const char* real) {
      return spawned(child, [&](pid_t* pid) { return original_posix_spawn(pid, real, actions, attributes, argv, covered); });
    };
    return is_absolute(path) ? with_program(AT_FDCWD, path, call) : call(AT_FDCWD, path);
  });
}
MIG_EXPORT int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                            const posix_spawnattr_t* attributes, char* const argv[], char* const environment[]) {
  return with_cover(environment, [&](char* const* covered) {
    return spawned(child, [&](pid_t* pid) { return original_posix_spawnp(pid, file, actions, attributes, argv, covered); });
  });
}
