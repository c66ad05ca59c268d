// What waits in a socket to be received.
//
// MSG_PEEK with SO_PEEK_OFF walks through the queue without taking anything out: from 0 on, each receive moves
// the offset over what it has shown. Descriptors under way (SCM_RIGHTS) come as copies. In a stream one receive gives them together
// with bytes that were sent before, and where theirs begin must be found out: a receiver that reads those first gets none yet.
//
// Tried: receiving less and less until none come. A peek looks at the next message even if it has no room for any of it.
#include "preload/save/socket_queue.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload/save/contents.h"

namespace mig {
namespace {

constexpr size_t kLargest = 1 << 20;
constexpr size_t kMostRights = 253;  ///< SCM_MAX_FD
constexpr int kPassPidfd = 76;       // SO_PASSPIDFD

void set(int fd, int name, int value) {
  sys(__NR_setsockopt, fd, SOL_SOCKET, name, &value, sizeof value);
}
int get(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  sys(__NR_getsockopt, fd, SOL_SOCKET, name, &value, &size);
  return value;
}

/// An option of a socket for the length of a scope.
class ScopedOption {
 public:
  ScopedOption(int fd, int name, int value) : fd_(fd), name_(name), was_(get(fd, name)), differs_(was_ != value) {
    if (differs_) set(fd, name, value);
  }
  ~ScopedOption() {
    if (differs_) set(fd_, name_, was_);
  }

 private:
  int fd_, name_, was_;
  bool differs_;
};

/// Peeking from the beginning of the queue on. Only what we know may come along.
class ScopedPeek {
 public:
  ScopedPeek(int fd, bool credentials)
      : fd_(fd),
        offset_(get(fd, SO_PEEK_OFF)),
        credentials_(fd, SO_PASSCRED, credentials),
        security_(fd, SO_PASSSEC, 0),
        pidfd_(fd, kPassPidfd, 0) {
    set(fd, SO_PEEK_OFF, 0);
  }
  ~ScopedPeek() { set(fd_, SO_PEEK_OFF, offset_); }

 private:
  int fd_, offset_;
  ScopedOption credentials_, security_, pidfd_;
};

struct Received {
  Received(void* data, size_t size) : part{data, size} {
    header.msg_iov = &part, header.msg_iovlen = 1;
    header.msg_name = &sender, header.msg_namelen = sizeof sender;
    header.msg_control = control, header.msg_controllen = sizeof control;
  }
  iovec part;
  sockaddr_un sender{};
  msghdr header{};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostRights * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
};

class Lister {
 public:
  Lister(const OpenDescription& d, SocketQueue& queue, char* buffer)
      : d_(d),
        queue_(queue),
        buffer_(buffer),
        stream_(get(d.fd, SO_TYPE) == SOCK_STREAM),
        named_(get(d.fd, SO_TYPE) == SOCK_DGRAM) {}

  bool run() {
    ScopedPeek peek(d_.fd, true);
    ended_ = ends();
    for (bool more = true; more;)
      if (!take(more)) return false;
    return true;
  }

 private:
  /// Whether a receive of nothing is the end, not an empty message.
  bool ends() const {
    pollfd p{d_.fd, POLLRDHUP, 0};
    sys(__NR_poll, &p, 1, 0);
    return p.revents & (POLLRDHUP | POLLHUP);
  }

  bool take(bool& more) {
    Received r(buffer_, kLargest);
    long n = sys(__NR_recvmsg, d_.fd, &r.header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    more = n > 0 || (n == 0 && !stream_ && !ended_);
    if (!more) return true;
    if (r.header.msg_flags & MSG_TRUNC) return unsupported(d_, "a message in it is larger than 1 MiB");
    SocketQueue::Message m{};
    m.first_right = static_cast<uint32_t>(queue_.rights.size());
    for (cmsghdr* c = CMSG_FIRSTHDR(&r.header); c; c = CMSG_NXTHDR(&r.header, c))
      if (!note(m, *c)) return false;
    if (r.header.msg_flags & MSG_CTRUNC)
      return unsupported(d_, "there is no room for the descriptors that are under way in it (SCM_RIGHTS)");
    m.size = static_cast<size_t>(n);
    at_ += m.size;
    return note_sender(m, r) && add(m);
  }

  bool note(SocketQueue::Message& m, const cmsghdr& c) {
    auto data = reinterpret_cast<const char*>(CMSG_DATA(&c));
    if (c.cmsg_level != SOL_SOCKET) return true;
    if (c.cmsg_type == SCM_CREDENTIALS) {
      ucred sender;
      memcpy(&sender, data, sizeof sender);
      m.pid = sender.pid, m.uid = sender.uid, m.gid = sender.gid;
    }
    if (c.cmsg_type != SCM_RIGHTS) return true;
    m.rights = static_cast<uint32_t>((c.cmsg_len - CMSG_LEN(0)) / sizeof(int));
    bool ok = true;
    for (uint32_t i = 0; i < m.rights; ++i) {
      SocketQueue::Right right{};
      memcpy(&right.fd, data + i * sizeof(int), sizeof(int));
      ok = queue_.rights.push(right) && ok;
    }
    return ok || refuse(Error::kPendingLost, "the list of descriptors", "the kernel gave no memory for it");
  }

  bool note_sender(SocketQueue::Message& m, const Received& r) {
    if (!named_ || r.header.msg_namelen <= sizeof(sa_family_t)) return true;
    m.first_name = static_cast<uint32_t>(queue_.names.size()), m.name = r.header.msg_namelen;
    char* to = queue_.names.add(m.name);
    if (to) memcpy(to, &r.sender, m.name);
    return to || refuse(Error::kPendingLost, "what waits in a socket", "the kernel gave no memory for it");
  }

  /// Bytes before those that the descriptors came with are a message of their own.
  bool add(SocketQueue::Message m) {
    bool ok = true;
    if (size_t before = stream_ && m.rights ? bytes_before_rights(m.size) : 0) {
      SocketQueue::Message first = m;
      first.size = before, first.rights = 0;
      m.size -= before;
      ok = queue_.messages.push(first);
    }
    return (ok && queue_.messages.push(m)) ||
           refuse(Error::kPendingLost, "what waits in a socket", "the kernel gave no memory for it");
  }

  /// No memory for the last byte: the kernel then leaves out everything that was sent together with it.
  size_t bytes_before_rights(size_t size) const {
    ScopedOption no_credentials(d_.fd, SO_PASSCRED, 0);
    iovec parts[2] = {{buffer_, size - 1}, {nullptr, 1}};
    msghdr m{};
    m.msg_iov = parts, m.msg_iovlen = 2;
    set(d_.fd, SO_PEEK_OFF, static_cast<int>(at_ - size));
    long n = sys(__NR_recvmsg, d_.fd, &m, MSG_PEEK | MSG_DONTWAIT);
    set(d_.fd, SO_PEEK_OFF, static_cast<int>(at_));
    return n > 0 ? static_cast<size_t>(n) : 0;
  }

  const OpenDescription& d_;
  SocketQueue& queue_;
  char* buffer_;
  bool stream_, named_, ended_ = false;
  size_t at_ = 0;
};

bool save_sender(Saving& saving, const OpenDescription& d, const SocketQueue::Message& m) {
  SocketAddressRecord r{d.record.id, kAddressOfSender};
  return !m.name || saving.extra(RecordType::kSocketAddress, r, &d.queue->names[m.first_name], m.name);
}

bool save_message(Saving& saving, const OpenDescription& d, const SocketQueue::Message& m) {
  MessageRight rights[kMostRights];
  for (uint32_t i = 0; i < m.rights; ++i) {
    uint32_t description = d.queue->rights[m.first_right + i].description;
    rights[i] = {saving.begin()[description].record.shared, description, 0};
  }
  MessageRecord r{d.record.id, m.pid ? virtual_id(m.pid) : 0, m.uid, m.gid};
  return saving.extra(RecordType::kMessage, r, rights, m.rights * sizeof *rights);
}

char* buffer;  ///< in scratch memory, one for all

/// An empty message is passed over by itself when it has been seen before.
bool peek_again(int fd, size_t size) {
  Received r(buffer, size);
  r.header.msg_controllen = 0;
  return sys(__NR_recvmsg, fd, &r.header, MSG_PEEK | MSG_DONTWAIT) == static_cast<long>(size);
}

/// Urgent data has its place outside the order of the queue, and cannot be put back there.
bool has_urgent_data(const OpenDescription& d) {
  char byte;
  return sys(__NR_recvfrom, d.fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT, nullptr, nullptr) > 0;
}

bool have_buffer() {
  if (!buffer) buffer = static_cast<char*>(scratch(kLargest));
  return buffer || refuse(Error::kPendingLost, "what waits in a socket", "the kernel gave no memory for it");
}

}  // namespace

void forget_socket_queues() {
  buffer = nullptr;
}

bool list_socket_queue(const OpenDescription& d, SocketQueue*& queue) {
  if (get(d.fd, SO_DOMAIN) != AF_UNIX || get(d.fd, SO_ACCEPTCONN)) return true;
  pollfd readable{d.fd, POLLIN, 0};
  if (sys(__NR_poll, &readable, 1, 0) != 1) return true;
  if (has_urgent_data(d)) return unsupported(d, "urgent data (MSG_OOB) waits in it that has not been read");
  if (!have_buffer()) return false;
  queue = static_cast<SocketQueue*>(scratch(sizeof(SocketQueue)));
  return queue ? Lister(d, *queue, buffer).run() : refuse(Error::kPendingLost, d.path, "the kernel gave no memory for its queue");
}

bool save_socket_queue(Saving& saving, OpenDescription& d) {
  if (!owns(d) || !d.queue || !d.queue->messages.size()) return true;
  carried(d, "with what waits in it");
  if (saving.only_looking()) return true;
  bool asked = get(d.fd, SO_PASSCRED);
  ScopedPeek peek(d.fd, false);
  for (const SocketQueue::Message& m : d.queue->messages) {
    if (m.size && !peek_again(d.fd, m.size)) return unsupported(d, "what waits in it cannot be copied");
    if (!save_sender(saving, d, m)) return false;
    if ((m.rights || (m.pid && asked)) && !save_message(saving, d, m)) return false;
    if (!save_bytes(saving, d, buffer, m.size)) return false;
  }
  return true;
}

/// An error that waits is the program's to be told of: a look at the queue would take it.
bool save_datagrams(Saving& saving, OpenDescription& d) {
  pollfd ready{d.fd, POLLIN, 0};
  if (!owns(d) || sys(__NR_poll, &ready, 1, 0) != 1 || ready.revents & POLLERR || !(ready.revents & POLLIN)) return true;
  carried(d, "with what waits in it");
  if (saving.only_looking()) return true;
  if (!have_buffer()) return false;
  ScopedOption from_the_beginning(d.fd, SO_PEEK_OFF, 0);
  for (;;) {
    sockaddr_storage sender{};
    socklen_t size = sizeof sender;
    long n = sys(__NR_recvfrom, d.fd, buffer, kLargest, MSG_PEEK | MSG_DONTWAIT, &sender, &size);
    if (n < 0) return true;
    SocketAddressRecord r{d.record.id, kAddressOfSender};
    if (!saving.extra(RecordType::kSocketAddress, r, &sender, size) || !save_bytes(saving, d, buffer, static_cast<size_t>(n)))
      return saving.out_of_memory();
  }
}

/// One look shows all of it, given room.
bool save_tcp_queue(Saving& saving, OpenDescription& d) {
  int bytes = 0;
  if (!owns(d)) return true;
  if (has_urgent_data(d)) return unsupported(d, "urgent data (MSG_OOB) waits in it that has not been read");
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
