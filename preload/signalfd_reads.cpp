// What a signalfd tells of a signal's sender, after a restart.
//
// read(2) is too frequent to be wrapped for this: only in a program that has a signalfd and whose ids have moved are its calls
// of read led here (preload/redirect.h). Whether a descriptor is one is asked of the kernel, and only if as much was read
// as a signalfd gives: a name in /proc for those without a file type, which no file, pipe or socket is.
#include "preload/signalfd_reads.h"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/base/text.h"
#include "preload/handlers.h"
#include "preload/hook.h"
#include "preload/ids.h"
#include "preload/redirect.h"

namespace mig {
namespace {

MIG_ORIGINAL(read);
Hook<ssize_t (*)(int, void*, size_t, size_t)> original_read_chk("__read_chk");

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

ssize_t translated(int fd, void* buffer, ssize_t size) {
  constexpr ssize_t kOne = sizeof(signalfd_siginfo);
  if (size <= 0 || size % kOne || !is_signalfd(fd)) return size;
  auto info = static_cast<signalfd_siginfo*>(buffer);
  for (ssize_t i = 0; i < size / kOne; ++i)
    if (has_sender(static_cast<int>(info[i].ssi_signo), info[i].ssi_code))
      info[i].ssi_pid = static_cast<uint32_t>(virtual_id(static_cast<int32_t>(info[i].ssi_pid)));
  return size;
}

ssize_t read_signals(int fd, void* buffer, size_t size) {
  return translated(fd, buffer, original_read(fd, buffer, size));
}
ssize_t read_signals_checked(int fd, void* buffer, size_t size, size_t room) {
  return translated(fd, buffer, original_read_chk(fd, buffer, size, room));
}

template <class Function>
Redirection to(const char* name, Function original, Function target) {
  return {name, reinterpret_cast<uint64_t>(original), reinterpret_cast<uint64_t>(target)};
}

}  // namespace

void translate_signalfds() {
  if (!has_signalfd || !ids_moved()) return;
  const Redirection list[] = {
      to("read", original_read.get(), read_signals),
      to("__read", original_read.get(), read_signals),
      to("__read_chk", original_read_chk.get(), read_signals_checked),
  };
  redirect(list, sizeof list / sizeof *list);
}

void note_signalfd() {
  if (has_signalfd && !ids_moved()) return;
  has_signalfd = true;
  original_read.get(), original_read_chk.get();
  translate_signalfds();
}

}  // namespace mig
