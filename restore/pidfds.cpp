// A description that several processes have must be one. The process that it belongs to opens it and leaves it in a socket that all
// inherited; the others look into the socket (MSG_PEEK), which gives each a descriptor of the same description.
#include "restore/pidfds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "restore/failure.h"
#include "restore/job.h"
#include "restore/meeting.h"

namespace mig {
namespace {

constexpr long kPidfdThread = O_EXCL;

/// Of a process that was made for it, has ended, and was waited for.
long pidfd_of_the_dead(long flags) {
  long child = sys(__NR_clone, 0, 0, 0, 0, 0);
  if (child == 0)
    for (;;) sys(__NR_exit_group, 0);
  long fd = child > 0 ? sys(__NR_pidfd_open, child, flags) : child;
  if (child > 0) sys(__NR_wait4, child, nullptr, __WALL, nullptr);
  return fd;
}

void open_anew(PreparedDescription& p) {
  long flags = p.record.open_flags & (O_NONBLOCK | kPidfdThread);
  auto target = static_cast<int32_t>(p.record.value[0]);
  set_descriptor(p, target ? sys(__NR_pidfd_open, real_process(target), flags) : pidfd_of_the_dead(flags));
}

/// A message with one descriptor.
struct Parcel {
  Parcel() {
    header.msg_iov = &part, header.msg_iovlen = 1;
    header.msg_control = control, header.msg_controllen = sizeof control;
  }
  cmsghdr* rights() { return reinterpret_cast<cmsghdr*>(control); }
  int* descriptor() { return reinterpret_cast<int*>(CMSG_DATA(rights())); }

  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
};

void leave_in(int socket, int fd) {
  Parcel parcel;
  *parcel.rights() = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  *parcel.descriptor() = fd;
  if (long r = sys(__NR_sendmsg, socket, &parcel.header, MSG_NOSIGNAL); r < 0)
    give_up(Error::kResourceFailed, "a pidfd", "hand it to the other processes that have it", r);
}

long look_into(int socket) {
  Patience patience("a pidfd that another process opens");
  for (;;) {
    Parcel parcel;
    long r = sys(__NR_recvmsg, socket, &parcel.header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (r != -EAGAIN) return r < 0 ? r : parcel.header.msg_controllen ? *parcel.descriptor() : -EMFILE;
    patience.wait();
  }
}

}  // namespace

void promise_pidfd(PreparedDescription& p) {
  int ends[2];
  long r = sys(__NR_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends);
  if (r < 0) give_up(Error::kResourceFailed, p.path, "prepare it", r);
  p.promise[0] = move_aside(p.path, ends[0]), p.promise[1] = move_aside(p.path, ends[1]);
}

void open_pidfd(PreparedDescription& p) {
  if (p.fd >= 0) return;
  if (!p.common) return open_anew(p);
  if (!belongs_here(p)) return set_descriptor(p, look_into(p.promise[1]));
  open_anew(p);
  leave_in(p.promise[0], p.fd);
}

}  // namespace mig
