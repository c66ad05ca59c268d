// What waited in Internet datagram sockets is sent to them again.
//
// The receiver is told where a datagram comes from, so it is sent by the socket of the job that has this address, or else, when
// its sender is gone, by one that has it for this moment. A sender that was outside has an address that cannot be had as a rule: then
// the datagram is lost, as datagrams may be. The loopback interface delivers at once and in order.
#include "restore/datagrams.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "restore/failure.h"
#include "restore/sockets.h"

namespace mig {
namespace {

struct Datagram {
  SocketAddress sender;
  const char* data;
  size_t size;
};

bool takes_datagrams(const PreparedDescription& p) {
  return kind_of(p) == DescriptionKind::kDatagramSocket && (p.record.value[0] == AF_INET || p.record.value[0] == AF_INET6);
}

/// Calls visit(datagram) for each that waited in `p`.
template <class Visit>
void each_datagram(const PreparedDescription& p, Visit visit) {
  Datagram g{};
  RecordReader reader = p.behind;
  while (const RecordHeader* h = reader.next()) {
    if (h->type == RecordType::kDescription) return;
    if (h->type == RecordType::kSocketAddress && record_as<SocketAddressRecord>(h).peer == kAddressOfSender &&
        h->tail_size <= sizeof g.sender.storage) {
      __builtin_memcpy(&g.sender.storage, record_tail(h), h->tail_size);
      g.sender.size = h->tail_size;
    }
    if (h->type != RecordType::kContents) continue;
    g.data = record_tail(h), g.size = h->tail_size;
    visit(g);
  }
}

bool is_any(const SocketAddress& a) {
  const in6_addr none{};
  if (a.storage.ss_family == AF_INET) return !reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr.s_addr;
  return !__builtin_memcmp(&reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_addr, &none, sizeof none);
}

bool same_address(const SocketAddress& a, const SocketAddress& b) {
  if (a.storage.ss_family == AF_INET)
    return reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(b.storage).sin_addr.s_addr;
  return !__builtin_memcmp(&reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_addr,
                           &reinterpret_cast<const sockaddr_in6&>(b.storage).sin6_addr, sizeof(in6_addr));
}

/// Both kinds of address have the port at the same place.
uint16_t port(const SocketAddress& a) {
  return reinterpret_cast<const sockaddr_in&>(a.storage).sin_port;
}

/// What `p` sends comes from there.
bool sends_from(const PreparedDescription& p, const SocketAddress& sender) {
  if (!takes_datagrams(p)) return false;
  SocketAddress own = saved_address(p, false);
  return own.storage.ss_family == sender.storage.ss_family && port(own) == port(sender) &&
         (is_any(own) || same_address(own, sender));
}

PreparedDescription* find_sender(const SocketAddress& sender) {
  for (PreparedDescription& p : all_descriptions())
    if (sends_from(p, sender)) return &p;
  return nullptr;
}

/// Where it reaches `p`, coming from there.
SocketAddress way_to(const PreparedDescription& p, const SocketAddress& sender) {
  SocketAddress to = saved_address(p, false);
  if (!is_any(to) || to.storage.ss_family != sender.storage.ss_family) return to;
  if (to.storage.ss_family == AF_INET)
    reinterpret_cast<sockaddr_in&>(to.storage).sin_addr = reinterpret_cast<const sockaddr_in&>(sender.storage).sin_addr;
  else reinterpret_cast<sockaddr_in6&>(to.storage).sin6_addr = reinterpret_cast<const sockaddr_in6&>(sender.storage).sin6_addr;
  return to;
}

bool send_from(int fd, const Datagram& g, const SocketAddress& to) {
  long n = sys(__NR_sendto, fd, g.data, g.size, MSG_DONTWAIT | MSG_NOSIGNAL, &to.storage, to.size);
  return n == static_cast<long>(g.size);
}

bool send_again(const PreparedDescription& p, const Datagram& g) {
  SocketAddress to = way_to(p, g.sender);
  if (PreparedDescription* sender = find_sender(g.sender); sender && sender->fd >= 0) return send_from(sender->fd, g, to);
  ScopedFd gone(sys(__NR_socket, g.sender.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return sys(__NR_bind, gone.get(), &g.sender.storage, g.sender.size) == 0 && send_from(gone.get(), g, to);
}

}  // namespace

void find_datagrams() {
  for (PreparedDescription& p : all_descriptions())
    if (takes_datagrams(p))
      each_datagram(p, [&](const Datagram& g) {
        p.common = true;
        if (PreparedDescription* sender = find_sender(g.sender)) sender->common = true;
      });
}

void send_datagrams() {
  for (PreparedDescription& p : all_descriptions()) {
    if (!takes_datagrams(p) || !belongs_here(p)) continue;
    uint32_t lost = 0;
    each_datagram(p, [&](const Datagram& g) { lost += !send_again(p, g); });
    if (lost) tell(p.path, "datagrams that waited in it are lost: they cannot be sent again from where they came");
  }
}

}  // namespace mig
