// Wrappers: popen, pclose, and fclose of a stream of popen. libc's own streams know their shells by the kernel's number, which does
// not last; so these are streams of fdopen, and a list tells which shell belongs to which.
//
// As in libc, a new shell has none of the other streams open (the list is locked until it executes), fclose waits just as
// pclose does, and pclose of any other stream is libc's.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/wrap/hook.h"
#include "preload/wrap/shell.h"

namespace mig {
namespace {

MIG_ORIGINAL(fclose);
MIG_ORIGINAL(pclose);
MIG_ORIGINAL(pthread_setcancelstate);

struct ShellStream {
  FILE* file;
  pid_t shell;
  ShellStream* next;
};
ShellStream* streams;
ShellLock streams_lock;

struct Mode {
  bool reads, writes, close_on_exec, known;
};
Mode mode_of(const char* type) {
  Mode m{false, false, false, true};
  for (; *type; ++type) switch (*type) {
      case 'r': m.reads = true; break;
      case 'w': m.writes = true; break;
      case 'e': m.close_on_exec = true; break;
      default: m.known = false;
    }
  return m;
}

struct Ends {
  int own, shells;
};

/// False: errno says why. The shell's end is not where the shell is to have it, so that a duplicate loses O_CLOEXEC.
bool make_pipe(bool reads, Ends& ends) {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) < 0) return false;
  ends = {pipe[!reads], pipe[reads]};
  if (ends.shells != static_cast<int>(reads)) return true;
  int other = fcntl(ends.shells, F_DUPFD_CLOEXEC, 0), error = errno;
  close(ends.shells);
  ends.shells = other;
  if (other >= 0) return true;
  close(ends.own);
  errno = error;
  return false;
}

int start(ShellStream& s, const char* command, int shells_end, bool reads) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int target = reads, error = posix_spawn_file_actions_adddup2(&actions, shells_end, target);
  bool locked = streams_lock.take();
  for (const ShellStream* other = streams; other && !error; other = other->next)
    if (int fd = fileno(other->file); fd >= 0 && fd != target) error = posix_spawn_file_actions_addclose(&actions, fd);
  if (!error) error = start_shell(&s.shell, command, &actions, nullptr);
  if (!error) s.next = streams, __atomic_store_n(&streams, &s, __ATOMIC_RELEASE);
  if (locked) streams_lock.release();
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

ShellStream* take_out(FILE* file) {
  if (!__atomic_load_n(&streams, __ATOMIC_RELAXED)) return nullptr;
  bool locked = streams_lock.take();
  ShellStream** at = &streams;
  while (*at && (*at)->file != file) at = &(*at)->next;
  ShellStream* s = *at;
  if (s) *at = s->next;
  if (locked) streams_lock.release();
  return s;
}

FILE* open_stream(const char* command, Mode mode) {
  Ends ends;
  auto s = static_cast<ShellStream*>(malloc(sizeof(ShellStream)));
  if (!s || !make_pipe(mode.reads, ends)) return free(s), nullptr;
  s->file = fdopen(ends.own, mode.reads ? "r" : "w");
  int error = s->file ? start(*s, command, ends.shells, mode.reads) : errno;
  close(ends.shells);
  if (!error && !mode.close_on_exec) fcntl(ends.own, F_SETFD, 0);
  if (!error) return s->file;
  if (s->file) original_fclose(s->file);
  else close(ends.own);
  free(s);
  errno = error;
  return nullptr;
}

/// No cancellation point.
int close_stream(ShellStream* s) {
  int before = 0, closed = original_fclose(s->file);
  original_pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  int status = wait_for_shell(s->shell);
  original_pthread_setcancelstate(before, nullptr);
  free(s);
  return status ? status : closed;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT FILE* popen(const char* command, const char* type) {
  Mode mode = mode_of(type);
  if (mode.known && mode.reads != mode.writes) return open_stream(command, mode);
  errno = EINVAL;
  return nullptr;
}
MIG_EXPORT int pclose(FILE* file) {
  ShellStream* s = take_out(file);
  return s ? close_stream(s) : original_pclose(file);
}
MIG_EXPORT int fclose(FILE* file) {
  ShellStream* s = take_out(file);
  return s ? close_stream(s) : original_fclose(file);
}
