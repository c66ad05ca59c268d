// The options of a socket that the kernel takes back as it tells them. The restart sets only those that differ from
// a new socket's; so the table may hold more than an ordinary user could set.
#include "preload/save/socket_options.h"

#include <errno.h>
#include <linux/filter.h>
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
    {0, SOL_SOCKET, SO_NO_CHECK},
    {0, SOL_SOCKET, SO_RXQ_OVFL},
    {0, SOL_SOCKET, SO_WIFI_STATUS},
    {0, SOL_SOCKET, SO_NOFCS},
    {0, SOL_SOCKET, SO_LOCK_FILTER},
    {0, SOL_SOCKET, SO_SELECT_ERR_QUEUE},
    {0, SOL_SOCKET, SO_MAX_PACING_RATE},
    {0, SOL_SOCKET, SO_ZEROCOPY},
    {0, SOL_SOCKET, SO_TIMESTAMPING_OLD},
    {0, SOL_SOCKET, SO_TIMESTAMP_NEW},
    {0, SOL_SOCKET, SO_TIMESTAMPNS_NEW},
    {0, SOL_SOCKET, SO_TIMESTAMPING_NEW},
    {0, SOL_SOCKET, SO_PREFER_BUSY_POLL},
    {0, SOL_SOCKET, 72 /* SO_BUF_LOCK */},
    {0, SOL_SOCKET, 74 /* SO_TXREHASH */},
    {0, SOL_SOCKET, 75 /* SO_RCVMARK */},
    {0, SOL_SOCKET, 76 /* SO_PASSPIDFD */},
    {0, SOL_SOCKET, 82 /* SO_RCVPRIORITY */},
    {0, SOL_SOCKET, 83 /* SO_PASSRIGHTS */},
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
    {AF_INET, IPPROTO_IP, IP_OPTIONS},
    {AF_INET, IPPROTO_IP, IP_RECVOPTS},
    {AF_INET, IPPROTO_IP, IP_RETOPTS},
    {AF_INET, IPPROTO_IP, IP_PASSSEC},
    {AF_INET, IPPROTO_IP, IP_RECVORIGDSTADDR},
    {AF_INET, IPPROTO_IP, IP_MINTTL},
    {AF_INET, IPPROTO_IP, IP_CHECKSUM},
    {AF_INET, IPPROTO_IP, IP_RECVFRAGSIZE},
    {AF_INET, IPPROTO_IP, IP_RECVERR_RFC4884},
    {AF_INET, IPPROTO_IP, IP_MULTICAST_IF},
    {AF_INET, IPPROTO_IP, IP_MULTICAST_ALL},
    {AF_INET, IPPROTO_IP, IP_UNICAST_IF},
    {AF_INET, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */},
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY},
    {AF_INET6, IPPROTO_IPV6, IPV6_2292PKTINFO},
    {AF_INET6, IPPROTO_IPV6, IPV6_2292HOPOPTS},
    {AF_INET6, IPPROTO_IPV6, IPV6_2292DSTOPTS},
    {AF_INET6, IPPROTO_IPV6, IPV6_2292RTHDR},
    {AF_INET6, IPPROTO_IPV6, IPV6_2292HOPLIMIT},
    {AF_INET6, IPPROTO_IPV6, IPV6_FLOWINFO},
    {AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_IF},
    {AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_ALL},
    {AF_INET6, IPPROTO_IPV6, IPV6_ROUTER_ALERT_ISOLATE},
    {AF_INET6, IPPROTO_IPV6, 31 /* IPV6_RECVERR_RFC4884 */},
    {AF_INET6, IPPROTO_IPV6, IPV6_FLOWINFO_SEND},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPOPTS},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVRTHDR},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVDSTOPTS},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVPATHMTU},
    {AF_INET6, IPPROTO_IPV6, IPV6_DONTFRAG},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS},
    {AF_INET6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
    {AF_INET6, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES},
    {AF_INET6, IPPROTO_IPV6, IPV6_MINHOPCOUNT},
    {AF_INET6, IPPROTO_IPV6, IPV6_ORIGDSTADDR},
    {AF_INET6, IPPROTO_IPV6, IPV6_TRANSPARENT},
    {AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_IF},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVFRAGSIZE},
    {AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND},
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
    {0, IPPROTO_TCP, TCP_CONGESTION}, {0, IPPROTO_TCP, TCP_NOTSENT_LOWAT}, {0, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {0, IPPROTO_TCP, TCP_FASTOPEN},   {0, IPPROTO_TCP, TCP_SAVE_SYN},      {0, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
    {0, IPPROTO_TCP, TCP_INQ},
};
constexpr int kUdplite = IPPROTO_UDPLITE;
constexpr Option kDatagramOptions[] = {
    {0, IPPROTO_UDP, 101 /* UDP_NO_CHECK6_TX */}, {0, IPPROTO_UDP, 102 /* UDP_NO_CHECK6_RX */},
    {0, IPPROTO_UDP, 103 /* UDP_SEGMENT */},      {0, IPPROTO_UDP, 104 /* UDP_GRO */},
    {0, kUdplite, 10 /* UDPLITE_SEND_CSCOV */},   {0, kUdplite, 11 /* UDPLITE_RECV_CSCOV */},
};

/// The kernel tells these of a stream too (an accepted one has the TTL and the interface of its first packet there), and takes none back.
bool is_for_datagrams(const Option& o) {
  if (o.level == IPPROTO_IPV6) return o.name == IPV6_MULTICAST_HOPS || o.name == IPV6_MULTICAST_IF;
  return o.level == IPPROTO_IP && (o.name == IP_MULTICAST_TTL || o.name == IP_MULTICAST_LOOP || o.name == IP_MULTICAST_IF);
}

bool concerns(const Option& o, uint64_t family) {
  return !o.family || static_cast<uint64_t>(o.family) == family || (o.family == AF_INET && family == AF_INET6);
}

/// What a classic filter (socket(7), SO_ATTACH_FILTER) lets through. One in the form of BPF cannot be read back.
bool save_filter(Saving& saving, const OpenDescription& d) {
  socklen_t count = 0;
  long r = sys(__NR_getsockopt, d.fd, SOL_SOCKET, SO_GET_FILTER, nullptr, &count);
  if (r == -EACCES) return unsupported(d, "its filter is a BPF program, which cannot be read back");
  if (r < 0 || !count) return true;
  auto program = static_cast<sock_filter*>(scratch(count * sizeof(sock_filter)));
  if (!program) return saving.out_of_memory();
  if (sys(__NR_getsockopt, d.fd, SOL_SOCKET, SO_GET_FILTER, program, &count) < 0)
    return unsupported(d, "its filter cannot be read");
  SocketOptionRecord o{d.record.id, SOL_SOCKET, SO_ATTACH_FILTER, 0};
  return saving.extra(RecordType::kSocketOption, o, program, count * sizeof(sock_filter));
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
  if (family != AF_UNIX && type == SOCK_DGRAM)
    for (const Option& o : kDatagramOptions)
      if (!save_option(saving, d, o)) return false;
  return save_filter(saving, d);
}

}  // namespace mig
