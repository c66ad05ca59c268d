// The multicast groups that a socket has joined.
//
// The kernel lists the groups of each interface (/proc/net/igmp, igmp6), not of a socket. Whether a socket is in one is asked by its
// filter of sources there (MCAST_MSFILTER, RFC 3678), which only a member has. A membership is kept as an option that is set by joining;
// behind it stands the interface's name, for its number may be another one on the next host.
#include "preload/save/multicast.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace mig {
namespace {

struct Membership {
  group_req request;
  char interface[IFNAMSIZ];
};

void set_group(sockaddr_storage& to, const in_addr& group) {
  auto& a = reinterpret_cast<sockaddr_in&>(to);
  a.sin_family = AF_INET, a.sin_addr = group;
}
void set_group(sockaddr_storage& to, const in6_addr& group) {
  auto& a = reinterpret_cast<sockaddr_in6&>(to);
  a.sin6_family = AF_INET6, a.sin6_addr = group;
}

template <class Group>
bool save_membership(Saving& saving, const OpenDescription& d, int level, uint32_t index, const char* interface,
                     const Group& group) {
  group_filter s{};
  socklen_t size = sizeof s;
  s.gf_interface = index, s.gf_numsrc = 1;
  set_group(s.gf_group, group);
  if (sys(__NR_getsockopt, d.fd, level, MCAST_MSFILTER, &s, &size) < 0) return true;
  if (s.gf_numsrc || s.gf_fmode != MCAST_EXCLUDE)
    return unsupported(d, "it takes what some senders only send to a multicast group");
  Membership m{};
  m.request.gr_interface = index, m.request.gr_group = s.gf_group;
  text_copy(m.interface, interface, sizeof m.interface);
  SocketOptionRecord r{d.record.id, level, MCAST_JOIN_GROUP, 0};
  return saving.extra(RecordType::kSocketOption, r, &m, sizeof m);
}

/// The word up to the next space.
void copy_word(char (&to)[IFNAMSIZ], const char* from) {
  size_t n = 0;
  while (n + 1 < sizeof to && from[n] && from[n] != ' ' && from[n] != '\t') ++n;
  text_copy(to, from, n + 1);
}

/// `1  lo  : 1  V3`, and in a line of its own each group, as the number that the address is in memory: `  010000E0  1 ...`.
bool save_ip4(Saving& saving, const OpenDescription& d) {
  LineReader<1024> lines("/proc/net/igmp");
  char interface[IFNAMSIZ] = "";
  uint32_t index = 0;
  lines.next();
  while (const char* line = lines.next()) {
    Scan scan(line);
    if (*line >= '0' && *line <= '9') {
      index = static_cast<uint32_t>(scan.number());
      copy_word(interface, scan.skip('\t').skip_spaces().at());
      continue;
    }
    in_addr group{static_cast<uint32_t>(scan.hex())};
    if (!save_membership(saving, d, IPPROTO_IP, index, interface, group)) return false;
  }
  return true;
}

/// `1    lo              ff020000000000000000000000000001     1 0000000C 0`
bool save_ip6(Saving& saving, const OpenDescription& d) {
  LineReader<1024> lines("/proc/net/igmp6");
  while (const char* line = lines.next()) {
    Scan scan(line);
    char interface[IFNAMSIZ];
    auto index = static_cast<uint32_t>(scan.number());
    copy_word(interface, scan.skip_spaces().at());
    const char* digits = scan.after(' ').skip_spaces().at();
    in6_addr group{};
    for (size_t i = 0; i < 16 && digits[2 * i] && digits[2 * i + 1]; ++i) {
      char byte[3] = {digits[2 * i], digits[2 * i + 1], 0};
      group.s6_addr[i] = static_cast<uint8_t>(Scan(byte).hex());
    }
    if (!save_membership(saving, d, IPPROTO_IPV6, index, interface, group)) return false;
  }
  return true;
}

}  // namespace

bool save_memberships(Saving& saving, const OpenDescription& d) {
  return save_ip4(saving, d) && (d.record.value[0] != AF_INET6 || save_ip6(saving, d));
}

}  // namespace mig
