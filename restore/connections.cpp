// Connected sockets: pairs inside the job with what waited in them, and connections that are lost.
//
// A lost TCP connection is one to ourselves, over loopback, that was really reset (SO_LINGER 0); the program sees
// ECONNRESET, then the end, and poll tells of it. Without a loopback interface shutdown(2) of a new socket has the same
// effect but for the error. A connection to ourselves is made again between the same two addresses, by a listener that is
// gone before the program's own one listens there; where that cannot be, it gets another port or other addresses. A lost unix connection is a pair whose other end was closed with a byte unread.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/messages.h"
#include "restore/sockets.h"

namespace mig {
namespace {

constexpr uint64_t kReceives = 1, kSends = 2;  // RCV_SHUTDOWN, SEND_SHUTDOWN

bool has_messages(const PreparedDescription& p) {
  bool found = false;
  each_message(p, [&](const char*, size_t) { found = true; });
  return found;
}

void make_send_buffer_large(int fd) {
  int large = 8 << 20;
  if (sys(__NR_setsockopt, fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large) < 0)
    sys(__NR_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
}

void send_all(const PreparedDescription& to, int from) {
  if (!has_messages(to)) return;
  make_send_buffer_large(from);
  each_message(to, [&](const char* data, size_t size) {
    do {
      long n = sys(__NR_sendto, from, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
      if (n < 0) give_up(Error::kResourceFailed, to.path, "put back what waited in it", n);
      data += n, size -= static_cast<size_t>(n);
    } while (size);
  });
}

void shut(const PreparedDescription& p) {
  uint64_t state = p.record.value[4];
  if (state & kReceives) sys(__NR_shutdown, p.fd, SHUT_RD);
  if (state & kSends) sys(__NR_shutdown, p.fd, SHUT_WR);
}

PreparedDescription* find_other(PreparedDescription& p) {
  for (PreparedDescription& d : all_descriptions())
    if (&d != &p && d.record.kind == p.record.kind && d.record.peer == p.record.peer) return &d;
  return nullptr;
}

/// After send_all(to, p.fd) had made it large.
void restore_send_buffer(const PreparedDescription& p, const PreparedDescription* to) {
  if (to && has_messages(*to)) set_saved_option(p, SOL_SOCKET, SO_SNDBUF);
}

void keep_for_later(PreparedDescription& p, PreparedDescription* other, int far) {
  make_send_buffer_large(far);
  fill_later(p);
  if (other) {
    make_send_buffer_large(p.fd);
    fill_later(*other);
  } else {
    p.helper = far;
  }
}

int reset_pair(uint64_t type) {
  int ends[2];
  if (sys(__NR_socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  sys(__NR_sendto, ends[0], "x", 1, MSG_NOSIGNAL, nullptr, 0);
  sys(__NR_close, ends[1]);
  return ends[0];
}

/// A connection over loopback and its other end, or an error number.
long connect_over_loopback(int family, ScopedFd& far) {
  sockaddr_storage a{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  a.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) reinterpret_cast<sockaddr_in&>(a).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else reinterpret_cast<sockaddr_in6&>(a).sin6_addr.s6_addr[15] = 1;
  ScopedFd listener(sys(__NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ScopedFd client(sys(__NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  long r = sys(__NR_bind, listener.get(), &a, size);
  if (r >= 0) r = sys(__NR_listen, listener.get(), 1);
  if (r >= 0) r = sys(__NR_getsockname, listener.get(), &a, &size);
  if (r >= 0) r = sys(__NR_connect, client.get(), &a, size);
  if (r < 0 && r != -EINPROGRESS) return r;
  far.reset(sys(__NR_accept4, listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return far.ok() ? client.release() : far.get();
}

/// One that was reset by its other end.
long reset_connection(int family) {
  ScopedFd far;
  long fd = connect_over_loopback(family, far);
  linger now{1, 0};
  if (fd >= 0) sys(__NR_setsockopt, far.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  return fd;
}

bool has_ended(const PreparedDescription& p) {
  return p.record.value[4] & kReceives;
}

/// One whose other end has said what waits in `p`, and has closed.
long ended_connection(const PreparedDescription& p) {
  ScopedFd far;
  long fd = connect_over_loopback(static_cast<int>(p.record.value[0]), far);
  if (fd < 0) return fd;
  make_send_buffer_large(far.get());
  each_message(p, [&](const char* data, size_t size) {
    for (long n; size; data += n, size -= static_cast<size_t>(n)) {
      n = sys(__NR_sendto, far.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
      if (n < 0) return tell(p.path, "there is no room for all that its other end had sent");
    }
  });
  if (p.record.value[4] & kSends) sys(__NR_shutdown, fd, SHUT_WR);
  return fd;
}

/// The same address for a socket of that family: IPv4 ones are ::ffff:A.B.C.D for IPv6.
SocketAddress in_family(const SocketAddress& a, int family) {
  if (a.storage.ss_family == family) return a;
  SocketAddress other{};
  other.storage.ss_family = static_cast<sa_family_t>(family);
  auto v4 = reinterpret_cast<sockaddr_in*>(&other.storage);
  auto v6 = reinterpret_cast<sockaddr_in6*>(&other.storage);
  if (family == AF_INET) {
    auto& from = reinterpret_cast<const sockaddr_in6&>(a.storage);
    __builtin_memcpy(&v4->sin_addr, from.sin6_addr.s6_addr + 12, sizeof v4->sin_addr);
    v4->sin_port = from.sin6_port, other.size = sizeof *v4;
  } else {
    auto& from = reinterpret_cast<const sockaddr_in&>(a.storage);
    v6->sin6_addr.s6_addr[10] = v6->sin6_addr.s6_addr[11] = 0xff;
    __builtin_memcpy(v6->sin6_addr.s6_addr + 12, &from.sin_addr, sizeof from.sin_addr);
    v6->sin6_port = from.sin_port, other.size = sizeof *v6;
  }
  return other;
}

/// A socket bound to an address that old connections may still linger on.
int bound_socket(const SocketAddress& a) {
  long fd = sys(__NR_socket, a.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1, off = 0;
  sys(__NR_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (a.storage.ss_family == AF_INET6) sys(__NR_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (fd >= 0 && sys(__NR_bind, fd, &a.storage, a.size) < 0) {
    sys(__NR_close, fd);
    return -1;
  }
  return static_cast<int>(fd);
}

SocketAddress with_any_port(SocketAddress a) {
  if (a.storage.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(a.storage).sin_port = 0;
  else reinterpret_cast<sockaddr_in6&>(a.storage).sin6_port = 0;
  return a;
}

SocketAddress loopback(int family) {
  SocketAddress a{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(a.storage);
  v4.sin_family = AF_INET, v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.size = sizeof v4;
  return in_family(a, family);
}

/// Connects `from` to `to` and tells both ends.
bool connect_pair(const SocketAddress& from, const SocketAddress& to, int& client_end, int& served_end) {
  ScopedFd listener(bound_socket(to)), client(bound_socket(from));
  SocketAddress bound = to;
  if (!listener.ok() || !client.ok() || sys(__NR_listen, listener.get(), 1) < 0 ||
      sys(__NR_getsockname, listener.get(), &bound.storage, &bound.size) < 0)
    return false;
  bound = in_family(bound, from.storage.ss_family);
  long r = sys(__NR_connect, client.get(), &bound.storage, bound.size);
  if (r < 0 && r != -EINPROGRESS) return false;
  pollfd ready{listener.get(), POLLIN, 0};
  if (sys(__NR_poll, &ready, 1, 1000) != 1) return false;
  long served = sys(__NR_accept4, listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (served < 0) return false;
  client_end = client.release(), served_end = static_cast<int>(served);
  return true;
}

bool connect_either_way(const SocketAddress& a, const SocketAddress& b, int ends[2]) {
  return connect_pair(a, b, ends[0], ends[1]) || connect_pair(b, a, ends[1], ends[0]);
}

/// The kernel keeps the name of a connection that has ended for a minute at the end that was closed first: only the other one can
/// connect to it, or another port must do.
bool connect_with_other_port(const SocketAddress& a, const SocketAddress& b, int ends[2]) {
  return connect_either_way(with_any_port(a), b, ends) || connect_either_way(a, with_any_port(b), ends);
}

bool connect_anyhow(const PreparedDescription& p, const SocketAddress& a, const SocketAddress& b, int ends[2]) {
  if (connect_either_way(a, b, ends)) return true;
  if (connect_with_other_port(a, b, ends)) {
    tell(p.path, "an old connection still has its name: it goes on with another port at one end");
    return true;
  }
  if (!connect_pair(loopback(a.storage.ss_family), loopback(b.storage.ss_family), ends[0], ends[1])) return false;
  tell(p.path, "its addresses cannot be had: it goes on over the loopback interface");
  return true;
}

long shut_socket(int family) {
  long fd = sys(__NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) sys(__NR_shutdown, fd, SHUT_RDWR);
  return fd;
}

}  // namespace

void open_socket_pair(PreparedDescription& p) {
  int ends[2];
  long r = sys(__NR_socketpair, AF_UNIX, p.record.value[1] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
  if (r < 0) give_up(Error::kResourceFailed, p.path, "make it again", r);
  PreparedDescription* other = find_other(p);
  int far = move_aside(p.path, ends[1]);
  set_descriptor(p, ends[0]);
  if (other) other->fd = far;
  set_socket_options(p, true);
  if (other) set_socket_options(*other, true);
  if (brings_more(p) || (other && brings_more(*other))) return keep_for_later(p, other, far);
  send_all(p, far);
  if (other) send_all(*other, p.fd);
  restore_send_buffer(p, other);
  if (other) restore_send_buffer(*other, &p);
  shut(p);
  if (other) shut(*other);
  else sys(__NR_close, far);
}

int far_end(PreparedDescription& p) {
  PreparedDescription* other = find_other(p);
  return other ? other->fd : p.helper;
}

void complete_socket_pair(PreparedDescription& p) {
  if (find_other(p)) set_saved_option(p, SOL_SOCKET, SO_SNDBUF);
  shut(p);
}

void open_tcp_pair(PreparedDescription& p) {
  PreparedDescription* other = find_other(p);
  int ends[2];
  if (!other) return open_lost_connection(p);
  if (!connect_anyhow(p, saved_address(p, false), saved_address(p, true), ends)) {
    tell(p.path, "the connection to itself cannot be made again: the program sees it as reset");
    open_lost_connection(p);
    return open_lost_connection(*other);
  }
  set_descriptor(p, ends[0]);
  set_descriptor(*other, ends[1]);
  set_socket_options(p, true);
  set_socket_options(*other, true);
  send_all(p, other->fd);
  send_all(*other, p.fd);
  restore_send_buffer(p, other);
  restore_send_buffer(*other, &p);
  if (p.record.value[4] & kSends) sys(__NR_shutdown, p.fd, SHUT_WR);
  if (other->record.value[4] & kSends) sys(__NR_shutdown, other->fd, SHUT_WR);
  if (p.record.value[4] & kReceives) sys(__NR_shutdown, p.fd, SHUT_RD);
  if (other->record.value[4] & kReceives) sys(__NR_shutdown, other->fd, SHUT_RD);
}

void open_lost_connection(PreparedDescription& p) {
  auto family = static_cast<int>(p.record.value[0]);
  if (family == AF_UNIX) {
    set_descriptor(p, reset_pair(p.record.value[1]));
  } else {
    long fd = has_ended(p) ? ended_connection(p) : reset_connection(family);
    set_descriptor(p, fd >= 0 ? fd : shut_socket(family));
  }
  set_socket_options(p, false);
}

}  // namespace mig
