// The options of a socket that the kernel takes back as it tells them. The restart sets only those that differ from
// a new socket's; so the table may hold more than an ordinary user could set.
#include "preload/socket_options.h"

#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace mig {
namespace {

struct Option {
  int family;  ///< 0: all; AF_INET also stands for AF_INET6
  int level, name;
};
constexpr Option kOptions[] = {
    {0, SOL_SOCKET, SO_REUSEADDR},
    {0, SOL_SOCKET, SO_REUSEPORT},
    {0, SOL_SOCKET, SO_KEEPALIVE},
    {0, SOL_SOCKET, SO_BROADCAST},
    {0, SOL_SOCKET, SO_LINGER},
    {0, SOL_SOCKET, SO_OOBINLINE},
    {0, SOL_SOCKET, SO_PASSCRED},
    {0, SOL_SOCKET, SO_PASSSEC},
    {0, SOL_SOCKET, SO_RCVTIMEO},
    {0, SOL_SOCKET, SO_SNDTIMEO},
    {0, SOL_SOCKET, SO_RCVBUF},
    {0, SOL_SOCKET, SO_SNDBUF},
    {0, SOL_SOCKET, SO_RCVLOWAT},
    {0, SOL_SOCKET, SO_PRIORITY},
    {0, SOL_SOCKET, SO_MARK},
    {0, SOL_SOCKET, SO_DONTROUTE},
    {0, SOL_SOCKET, SO_TIMESTAMP},
    {0, SOL_SOCKET, SO_TIMESTAMPNS},
    {0, SOL_SOCKET, SO_PEEK_OFF},
    {0, SOL_SOCKET, SO_BUSY_POLL},
    {AF_INET, SOL_SOCKET, SO_BINDTODEVICE},
    {AF_INET, IPPROTO_IP, IP_TOS},
    {AF_INET, IPPROTO_IP, IP_TTL},
    {AF_INET, IPPROTO_IP, IP_MULTICAST_TTL},
    {AF_INET, IPPROTO_IP, IP_MULTICAST_LOOP},
    {AF_INET, IPPROTO_IP, IP_PKTINFO},
    {AF_INET, IPPROTO_IP, IP_RECVTTL},
    {AF_INET, IPPROTO_IP, IP_RECVTOS},
    {AF_INET, IPPROTO_IP, IP_MTU_DISCOVER},
    {AF_INET, IPPROTO_IP, IP_RECVERR},
    {AF_INET, IPPROTO_IP, IP_FREEBIND},
    {AF_INET, IPPROTO_IP, IP_TRANSPARENT},
    {AF_INET, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY},
    {AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {AF_INET6, IPPROTO_IPV6, IPV6_TCLASS},
    {AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVERR},
};
constexpr Option kTcpOptions[] = {
    {0, IPPROTO_TCP, TCP_NODELAY},    {0, IPPROTO_TCP, TCP_CORK},          {0, IPPROTO_TCP, TCP_KEEPIDLE},
    {0, IPPROTO_TCP, TCP_KEEPINTVL},  {0, IPPROTO_TCP, TCP_KEEPCNT},       {0, IPPROTO_TCP, TCP_SYNCNT},
    {0, IPPROTO_TCP, TCP_LINGER2},    {0, IPPROTO_TCP, TCP_DEFER_ACCEPT},  {0, IPPROTO_TCP, TCP_USER_TIMEOUT},
    {0, IPPROTO_TCP, TCP_CONGESTION}, {0, IPPROTO_TCP, TCP_NOTSENT_LOWAT},
};

/// The kernel tells these of a stream too (an accepted one has the TTL of its first packet there), and takes none back.
bool is_for_datagrams(const Option& o) {
  return o.level == IPPROTO_IP && (o.name == IP_MULTICAST_TTL || o.name == IP_MULTICAST_LOOP);
}

bool concerns(const Option& o, uint64_t family) {
  return !o.family || static_cast<uint64_t>(o.family) == family || (o.family == AF_INET && family == AF_INET6);
}

bool save_option(Saving& saving, const OpenDescription& d, const Option& o) {
  char value[64];
  socklen_t size = sizeof value;
  if (sys(__NR_getsockopt, d.fd, o.level, o.name, value, &size) < 0 || !size) return true;
  SocketOptionRecord r{d.record.id, o.level, o.name, 0};
  return saving.extra(RecordType::kSocketOption, r, value, size);
}

}  // namespace

bool save_socket_options(Saving& saving, const OpenDescription& d) {
  uint64_t family = d.record.value[0], type = d.record.value[1];
  for (const Option& o : kOptions)
    if (concerns(o, family) && !(type == SOCK_STREAM && is_for_datagrams(o)) && !save_option(saving, d, o)) return false;
  if (family != AF_UNIX && type == SOCK_STREAM)
    for (const Option& o : kTcpOptions)
      if (!save_option(saving, d, o)) return false;
  return true;
}

}  // namespace mig
