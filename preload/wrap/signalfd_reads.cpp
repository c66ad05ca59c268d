// What a signalfd tells of a signal's sender, after a restart.
//
// read(2) is too frequent to be wrapped for this: only in a program that has a signalfd are its calls of read led here
// (preload/wrap/redirect.h), from the first one on, since a read may last through a restart. Whether a descriptor is one is asked of
// the kernel, and only if as much is asked for as a signalfd gives: a name in /proc for those without a file type, which no
// file, pipe or socket is.
#include "preload/wrap/signalfd_reads.h"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/wrap/child_waits.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/redirect.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(read);
Hook<ssize_t (*)(int, void*, size_t, size_t), "__read_chk"> original_read_chk;

bool has_signalfd;

bool is_signalfd(int fd) {
  struct stat st;
  if (sys(__NR_fstat, fd, &st) < 0 || (st.st_mode & S_IFMT)) return false;
  char path[64], name[64];
  Text(path) << "/proc/self/fd/" << fd;
  long n = sys(__NR_readlink, path, name, sizeof name - 1);
  name[n > 0 ? n : 0] = 0;
  return text_equal(name, "anon_inode:[signalfd]");
}

constexpr size_t kOne = sizeof(signalfd_siginfo);

void translate(void* buffer, long size) {
  auto info = static_cast<signalfd_siginfo*>(buffer);
  for (size_t i = 0; i < static_cast<size_t>(size) / kOne; ++i)
    if (has_sender(static_cast<int>(info[i].ssi_signo), info[i].ssi_code))
      info[i].ssi_pid = static_cast<uint32_t>(virtual_id(static_cast<int32_t>(info[i].ssi_pid)));
}

ssize_t read_signals(int fd, void* buffer, size_t size) {
  if (size < kOne || !is_signalfd(fd)) return original_read(fd, buffer, size);
  return with_errno(take_signals(__NR_read, fd, buffer, static_cast<long>(size), 0, translate));
}
ssize_t read_signals_checked(int fd, void* buffer, size_t size, size_t room) {
  if (size < kOne || size > room || !is_signalfd(fd)) return original_read_chk(fd, buffer, size, room);
  return with_errno(take_signals(__NR_read, fd, buffer, static_cast<long>(size), 0, translate));
}

template <class Function>
Redirection to(const char* name, Function original, Function target) {
  return {name, reinterpret_cast<uint64_t>(original), reinterpret_cast<uint64_t>(target)};
}

}  // namespace

void translate_signalfds() {
  if (!has_signalfd) return;
  const Redirection list[] = {
      to("read", original_read.get(), read_signals),
      to("__read", original_read.get(), read_signals),
      to("__read_chk", original_read_chk.get(), read_signals_checked),
  };
  redirect(list, sizeof list / sizeof *list);
}

void note_signalfd() {
  has_signalfd = true;
  original_read.get(), original_read_chk.get();
  translate_signalfds();
}

}  // namespace mig
