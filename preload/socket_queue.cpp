// What waits in a socket to be received.
//
// MSG_PEEK with SO_PEEK_OFF walks through the queue without taking anything out: from 0 on, each receive moves
// the offset over what it has shown. Descriptors under way (SCM_RIGHTS) would be lost, so they refuse the checkpoint:
// fdinfo counts them (`scm_fds:`, Linux 6.1), and an older kernel tells by truncating the control message.
#include "preload/socket_queue.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "preload/contents.h"

namespace mig {
namespace {

constexpr size_t kLargest = 1 << 20;

bool descriptors_under_way(const OpenDescription& d) {
  long n = 0;
  each_fdinfo_line(d.fd, [&](const char* line) {
    if (text_starts(line, "scm_fds:")) n = Scan(line + 8).number();
    return true;
  });
  return n > 0;
}

void set(int fd, int name, int value) {
  sys(__NR_setsockopt, fd, SOL_SOCKET, name, &value, sizeof value);
}
int get(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  sys(__NR_getsockopt, fd, SOL_SOCKET, name, &value, &size);
  return value;
}

/// Peeking from the beginning of the queue on, for the length of a scope; credentials would look like truncation.
class ScopedPeek {
 public:
  explicit ScopedPeek(int fd) : fd_(fd), offset_(get(fd, SO_PEEK_OFF)), credentials_(get(fd, SO_PASSCRED)) {
    set(fd, SO_PEEK_OFF, 0);
    if (credentials_) set(fd, SO_PASSCRED, 0);
  }
  ~ScopedPeek() {
    set(fd_, SO_PEEK_OFF, offset_);
    if (credentials_) set(fd_, SO_PASSCRED, credentials_);
  }

 private:
  int fd_, offset_, credentials_;
};

/// Returns false only for a failure. `what` ends with the queue.
bool save_messages(Saving& saving, OpenDescription& d, bool stream) {
  auto buffer = static_cast<char*>(scratch(kLargest));
  if (!buffer) return saving.out_of_memory();
  ScopedPeek peek(d.fd);
  for (;;) {
    iovec v{buffer, kLargest};
    msghdr m{};
    m.msg_iov = &v, m.msg_iovlen = 1;
    long n = sys(__NR_recvmsg, d.fd, &m, MSG_PEEK | MSG_DONTWAIT);
    if (n == -EAGAIN || (stream && n <= 0) || n < 0) return true;
    if (n == 0 && (d.record.value[4] & 1)) return true;  // the end, not an empty message
    if (m.msg_flags & MSG_CTRUNC) return unsupported(d, "descriptors are under way in it (SCM_RIGHTS) and not yet received");
    if (m.msg_flags & MSG_TRUNC) return unsupported(d, "a message in it is larger than 1 MiB");
    carried(d, "with what waits in it");
    if (!saving.only_looking() && !save_bytes(saving, d, buffer, static_cast<size_t>(n))) return false;
  }
}

}  // namespace

bool save_socket_queue(Saving& saving, OpenDescription& d) {
  if (!owns(d)) return true;
  if (descriptors_under_way(d)) return unsupported(d, "descriptors are under way in it (SCM_RIGHTS) and not yet received");
  return save_messages(saving, d, d.record.value[1] == SOCK_STREAM);
}

/// One look shows all of it, given room.
bool save_tcp_queue(Saving& saving, OpenDescription& d) {
  int bytes = 0;
  if (!owns(d)) return true;
  sys(__NR_ioctl, d.fd, FIONREAD, &bytes);
  if (bytes <= 0) return true;
  carried(d, "with what waits in it");
  if (saving.only_looking()) return true;
  auto size = static_cast<size_t>(bytes);
  auto buffer = static_cast<char*>(scratch(size));
  if (!buffer) return saving.out_of_memory();
  long n = sys(__NR_recvfrom, d.fd, buffer, size, MSG_PEEK | MSG_DONTWAIT, nullptr, nullptr);
  if (n != bytes) return unsupported(d, "what waits in it cannot be copied");
  return save_bytes(saving, d, buffer, size);
}

}  // namespace mig
