// The options of sockets.
//
// The kernel doubles the sizes of buffers that it is given, so half is given back; beyond the system's limit for
// ordinary users they are as large as may be.
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "restore/failure.h"
#include "restore/sockets.h"

namespace mig {
namespace {

constexpr int kBufferLock = 72, kPassRights = 83;  // SO_BUF_LOCK, SO_PASSRIGHTS

bool is_buffer(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF);
}

bool differs(int fd, const SocketOptionRecord& o, const char* value, size_t size) {
  char now[64] = {};
  socklen_t length = sizeof now;
  if (sys(__NR_getsockopt, fd, o.level, o.name, now, &length) < 0) return false;
  return length != size || __builtin_memcmp(now, value, size) != 0;
}

long set_filter(int fd, const char* program, size_t size) {
  sock_fprog f{static_cast<unsigned short>(size / sizeof(sock_filter)),
               reinterpret_cast<sock_filter*>(const_cast<char*>(program))};
  return sys(__NR_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f);
}

long set(int fd, const SocketOptionRecord& o, const char* value, size_t size) {
  if (o.level == SOL_SOCKET && o.name == SO_ATTACH_FILTER) return set_filter(fd, value, size);
  if (!is_buffer(o.level, o.name)) return sys(__NR_setsockopt, fd, o.level, o.name, value, size);
  int half = 0;
  __builtin_memcpy(&half, value, sizeof half);
  half /= 2;
  int forced = o.name == SO_RCVBUF ? SO_RCVBUFFORCE : SO_SNDBUFFORCE;
  if (sys(__NR_setsockopt, fd, SOL_SOCKET, forced, &half, sizeof half) < 0)
    sys(__NR_setsockopt, fd, SOL_SOCKET, o.name, &half, sizeof half);
  return 0;
}

/// What follows from the other host's network rather than from the program.
bool is_dispensable(const SocketOptionRecord& o) {
  return (o.level == IPPROTO_TCP && o.name == TCP_CONGESTION) || (o.level == SOL_SOCKET && o.name == SO_BUSY_POLL);
}

/// A TCP socket has SO_REUSEADDR until the commit: those that share a port would keep each other from binding it. A filter, and a
/// receiver who takes no descriptors, would keep out what waited to be received. Setting a buffer's size locks it.
constexpr int kPostponed[] = {SO_REUSEADDR, SO_ATTACH_FILTER, SO_LOCK_FILTER, kBufferLock, kPassRights};

bool is_postponed(const PreparedDescription& p, const SocketOptionRecord& o) {
  if (o.level != SOL_SOCKET || (o.name == SO_REUSEADDR && p.record.value[1] != SOCK_STREAM)) return false;
  for (int name : kPostponed)
    if (name == o.name) return true;
  return false;
}

bool is_membership(const SocketOptionRecord& o) {
  return o.name == MCAST_JOIN_GROUP && (o.level == IPPROTO_IP || o.level == IPPROTO_IPV6);
}

/// Behind the request stands the interface's name (preload/save/multicast.cpp). Without such an interface the kernel chooses one.
void join_group(const PreparedDescription& p, const SocketOptionRecord& o, const char* value, size_t size) {
  group_req request{};
  ifreq interface {};
  if (size < sizeof request + IFNAMSIZ) return;
  __builtin_memcpy(&request, value, sizeof request);
  __builtin_memcpy(interface.ifr_name, value + sizeof request, IFNAMSIZ);
  request.gr_interface = sys(__NR_ioctl, p.fd, SIOCGIFINDEX, &interface) < 0 ? 0 : static_cast<uint32_t>(interface.ifr_ifindex);
  if (sys(__NR_setsockopt, p.fd, o.level, o.name, &request, sizeof request) < 0)
    tell(p.path, "a multicast group that it was in cannot be joined here");
}

}  // namespace

void set_socket_options(const PreparedDescription& p, bool strict) {
  each_extra<SocketOptionRecord>(p, RecordType::kSocketOption, [&](const SocketOptionRecord& o, const char* value, size_t size) {
    if (is_membership(o)) return join_group(p, o, value, size);
    if (is_postponed(p, o) || !differs(p.fd, o, value, size)) return;
    long r = set(p.fd, o, value, size);
    if (r >= 0 || !strict || is_dispensable(o)) return;
    char object[200];
    Text(object) << "a socket's option " << o.name << " (level " << o.level << ")";
    give_up(r == -EPERM ? Error::kNotPermitted : Error::kResourceFailed, object, "set", r);
  });
}

void settle_options(PreparedDescription& p, int fd) {
  p.fd = fd;
  for (int name : kPostponed)
    if (name != SO_REUSEADDR || p.record.value[1] == SOCK_STREAM) set_saved_option(p, SOL_SOCKET, name);
}

bool set_saved_option(const PreparedDescription& p, int level, int name) {
  bool found = false;
  each_extra<SocketOptionRecord>(p, RecordType::kSocketOption, [&](const SocketOptionRecord& o, const char* value, size_t size) {
    if (o.level != level || o.name != name) return;
    set(p.fd, o, value, size);
    found = true;
  });
  return found;
}

}  // namespace mig
