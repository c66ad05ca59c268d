// The kinds of thing that a descriptor can refer to, opened anew: which file knows how.
//
// A file may be open for what its mode forbids: made with mode 0444 and written by git, cp and tar, or changed since. Whoever
// restarts the program owns such a file, and gives himself the right for the moment in which it is opened.
#include "restore/description.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "restore/events.h"
#include "restore/failure.h"
#include "restore/inotify.h"
#include "restore/locks.h"
#include "restore/options.h"
#include "restore/pidfds.h"
#include "restore/pipes.h"
#include "restore/regular.h"
#include "restore/sockets.h"
#include "restore/terminal.h"

namespace mig {
namespace {

constexpr uint32_t kTemporary = O_TMPFILE;

void open_inherited(PreparedDescription& p) {
  long fd = sys(__NR_dup, p.record.peer);
  if (fd < 0) fd = open_path("/dev/null", O_RDWR);
  set_descriptor(p, fd);
}

long open_as_owner(const char* path, int flags) {
  ScopedFd file(open_path(path, O_PATH | (flags & O_NOFOLLOW)));
  struct stat st {};
  if (!file.ok() || sys(__NR_fstat, file.get(), &st) < 0) return -EACCES;
  if (st.st_uid != static_cast<uid_t>(sys(__NR_geteuid)) || (st.st_mode & (S_ISUID | S_ISGID))) return -EACCES;
  DescriptorPath link(file.get());
  uint32_t mode = st.st_mode & 07777;
  if (sys(__NR_fchmodat, AT_FDCWD, link.text, mode | S_IRUSR | S_IWUSR) < 0) return -EACCES;
  long fd = open_path(link.text, flags & ~O_NOFOLLOW);
  sys(__NR_fchmodat, AT_FDCWD, link.text, mode);
  return fd;
}

struct Kind {
  DescriptionKind kind;
  void (*open)(PreparedDescription&);
  void (*finish)(PreparedDescription&);
  void (*last)(PreparedDescription&, int fd);
};
constexpr Kind kKinds[] = {
    {DescriptionKind::kRegular, open_regular, finish_regular, nullptr},
    {DescriptionKind::kDirectory, open_directory, finish_position, nullptr},
    {DescriptionKind::kDevice, open_by_path, finish_position, nullptr},
    {DescriptionKind::kProc, open_by_path, finish_position, nullptr},
    {DescriptionKind::kPathOnly, open_by_path, nullptr, nullptr},
    {DescriptionKind::kMemfd, open_memfd, finish_memfd, nullptr},
    {DescriptionKind::kPipe, open_pipe, nullptr, nullptr},
    {DescriptionKind::kFifo, open_fifo, finish_fifo, nullptr},
    {DescriptionKind::kEventfd, open_eventfd, nullptr, nullptr},
    {DescriptionKind::kTimerfd, open_timerfd, finish_timerfd, nullptr},
    {DescriptionKind::kSignalfd, open_signalfd, nullptr, nullptr},
    {DescriptionKind::kPidfd, open_pidfd, nullptr, nullptr},
    {DescriptionKind::kEpoll, open_epoll, nullptr, nullptr},
    {DescriptionKind::kInotify, open_inotify, nullptr, settle_inotify},
    {DescriptionKind::kSocketPair, open_socket_pair, nullptr, settle_options},
    {DescriptionKind::kUnixListener, open_socket, finish_socket, settle_socket},
    {DescriptionKind::kTcpListener, open_socket, finish_socket, settle_socket},
    {DescriptionKind::kDatagramSocket, open_socket, finish_socket, settle_socket},
    {DescriptionKind::kFreshSocket, open_socket, finish_socket, settle_socket},
    {DescriptionKind::kTcpPair, open_tcp_pair, nullptr, settle_options},
    {DescriptionKind::kTcpLost, open_lost_connection, nullptr, settle_options},
    {DescriptionKind::kInherited, open_inherited, finish_terminal, nullptr},
    {DescriptionKind::kTerminal, open_terminal, finish_terminal, nullptr},
    {DescriptionKind::kPseudoTerminal, open_pseudo_terminal, finish_terminal, refill_pseudo_terminal},
};

const Kind& kind_for(const PreparedDescription& p) {
  for (const Kind& k : kKinds)
    if (k.kind == kind_of(p)) return k;
  give_up(Error::kVersion, p.path, "an object of a kind that this version does not know");
}

/// What open(2) takes no notice of, and what a stream shared with the outside must not lose.
void set_flags(const PreparedDescription& p, int fd) {
  constexpr long kSettable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
  if (p.record.open_flags & O_PATH) return;
  long now = sys(__NR_fcntl, fd, F_GETFL), wanted = (now & ~kSettable) | (p.record.open_flags & kSettable);
  if (now >= 0 && now != wanted) sys(__NR_fcntl, fd, F_SETFL, wanted);
}

}  // namespace

void open_description(PreparedDescription& p) {
  if (p.fd < 0) kind_for(p).open(p);
  prepare_locks(p);
}

void finish_description(PreparedDescription& p) {
  if (auto finish = kind_for(p).finish) finish(p);
}

void settle_description(PreparedDescription& p, int fd) {
  take_lease(p, fd);  // signals of leases and O_ASYNC tell the number that asked for them
  set_owner(p, fd);
  set_flags(p, fd);
  if (auto last = kind_for(p).last) last(p, fd);
  take_process_locks(p, fd);
}

long open_file(const char* path, int flags) {
  long fd = open_path(path, flags);
  return fd == -EACCES ? open_as_owner(path, flags) : fd;
}

void reopen_through(PreparedDescription& p, int fd) {
  uint32_t flags = p.record.open_flags & ~(kTemporary | O_NOFOLLOW | O_CREAT | O_EXCL | O_TRUNC | O_ASYNC);
  DescriptorPath path(fd);
  long opened = open_path(path.text, static_cast<int>(flags));
  if (opened == -EPERM || opened == -EINVAL) opened = open_path(path.text, static_cast<int>(flags & ~(O_NOATIME | O_DIRECT)));
  if (opened < 0) give_up(Error::kResourceFailed, p.path, "open it again", opened);
  set_descriptor(p, opened);
}

}  // namespace mig
