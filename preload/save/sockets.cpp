// Sockets: what each is, whom it is connected to, its options and what waits in it.
//
// A connection with both ends inside comes back with its contents; one to the outside comes back as one that was reset,
// which every program must be able to meet. What belongs to the kernel (netlink, packet, raw) is refused.
#include "preload/save/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "image/base/checksum.h"
#include "preload/job/standard.h"
#include "preload/save/contents.h"
#include "preload/save/multicast.h"
#include "preload/save/regular.h"
#include "preload/save/socket_options.h"
#include "preload/save/socket_query.h"
#include "preload/save/socket_queue.h"

namespace mig {
namespace {

enum TcpState : uint32_t {
  kEstablished = 1,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kClosed = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListening = 10,
  kClosing = 11
};
constexpr uint32_t kReceives = 1, kSends = 2;  ///< as sk_shutdown has them: what is over

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return sys(__NR_getsockopt, fd, level, name, &value, &size) < 0 ? -1 : value;
}

struct Address {
  sockaddr_storage storage;
  socklen_t size;
};

Address address(int fd, bool of_peer) {
  Address a{};
  a.size = sizeof a.storage;
  if (sys(of_peer ? __NR_getpeername : __NR_getsockname, fd, &a.storage, &a.size) < 0) a.size = 0;
  return a;
}

bool save_address(Saving& saving, const OpenDescription& d, bool of_peer) {
  Address a = address(d.fd, of_peer);
  if (a.size <= sizeof(sa_family_t)) return true;
  SocketAddressRecord r{d.record.id, of_peer};
  return saving.extra(RecordType::kSocketAddress, r, &a.storage, a.size);
}

short poll_now(int fd) {
  pollfd p{fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  sys(__NR_poll, &p, 1, 0);
  return p.revents;
}

/// The record, and behind it what every socket has.
bool write_socket(Saving& saving, OpenDescription& d, DescriptionKind kind, bool bound, bool connected) {
  if (!saving.write(d, kind)) return false;
  if (!owns(d)) return true;
  return save_socket_options(saving, d) && (!bound || save_address(saving, d, false)) &&
         (!connected || save_address(saving, d, true));
}

/// The inode of the other end if it is inside the job, else 0.
uint64_t peer_inside(const OpenDescription& d, const UnixSocket& s) {
  return s.peer && (object_facts({d.record.device, s.peer}) & kHasSocket) ? s.peer : 0;
}
/// The number by which the two ends know each other.
uint64_t pair_number(const OpenDescription& d, uint64_t peer) {
  return peer && peer < d.record.inode ? peer : d.record.inode;
}

// Unix sockets

constexpr uint32_t kHasFile = 1u << 16;

bool leads_to_file(const char* path, const UnixSocket& s, struct stat& st) {
  return sys(__NR_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
         (!s.file || static_cast<uint32_t>(st.st_ino) == s.file);
}

/// The file has been renamed within its directory, as servers do that put it in the place of an older one.
const char* renamed_file(const char* path, const UnixSocket& s) {
  char directory[sizeof(sockaddr_un)];
  struct stat st;
  text_copy(directory, path, sizeof directory);
  size_t slash = 0;
  for (size_t i = 0; directory[i]; ++i)
    if (directory[i] == '/') slash = i;
  directory[slash ? slash : 1] = 0;
  if (path[0] != '/' || !s.file || sys(__NR_newfstatat, AT_FDCWD, directory, &st, 0) < 0) return nullptr;
  return other_name(path, s.file, st.st_dev);
}

/// The socket's file: its mode, and where it is. `value[3]`: mode | kHasFile.
bool look_at_socket_file(OpenDescription& d, const UnixSocket& s, const char*& renamed) {
  Address a = address(d.fd, false);
  auto path = reinterpret_cast<sockaddr_un*>(&a.storage)->sun_path;
  struct stat st;
  renamed = nullptr;
  if (a.size <= sizeof(sa_family_t) || !path[0]) return true;
  bool found = leads_to_file(path, s, st);
  if (!found && (renamed = renamed_file(path, s))) found = leads_to_file(renamed, s, st);
  if (found) d.record.value[3] = (st.st_mode & 07777) | kHasFile;
  if (!found && path[0] != '/' && s.file)
    return unsupported(d, "it was bound by a path relative to another working directory, or its file was removed");
  return true;
}

bool save_renamed(Saving& saving, const OpenDescription& d, const char* renamed) {
  SocketAddressRecord r{d.record.id, kAddressOfFile};
  return !renamed || saving.extra(RecordType::kSocketAddress, r, renamed, strlen(renamed) + 1);
}

/// Connected or not, with its own address and file.
bool save_bound(Saving& saving, OpenDescription& d, const UnixSocket& s, DescriptionKind kind, bool connected) {
  const char* renamed = nullptr;
  return look_at_socket_file(d, s, renamed) && write_socket(saving, d, kind, true, connected) && save_renamed(saving, d, renamed);
}

bool is_nameless(const OpenDescription& d, bool of_peer) {
  return address(d.fd, of_peer).size <= sizeof(sa_family_t);
}

bool save_unix_listener(Saving& saving, OpenDescription& d, const UnixSocket& s) {
  d.record.value[4] = s.backlog;
  if (s.pending) degraded(d, "connections that were not yet accepted come back as ended");
  return save_bound(saving, d, s, DescriptionKind::kUnixListener, false);
}

bool save_unix_lost(Saving& saving, OpenDescription& d) {
  degraded(d, "its other end is outside: it comes back as a connection that was reset");
  d.record.flags |= kDescriptionAlone;
  return write_socket(saving, d, DescriptionKind::kTcpLost, false, false);
}

/// Connected, the other end inside or gone.
bool save_unix_pair(Saving& saving, OpenDescription& d, const UnixSocket& s, uint64_t peer) {
  d.record.peer = pair_number(d, peer);
  d.record.value[4] = s.shutdown;
  if (!peer) d.record.flags |= kDescriptionAlone;
  if (!is_nameless(d, false) || !is_nameless(d, true)) degraded(d, "the connection comes back without the names of its ends");
  return write_socket(saving, d, DescriptionKind::kSocketPair, false, false) && save_socket_queue(saving, d);
}

/// One that is connected to a name connects to it again; socketpair(2) makes those whose peer has none. Tried: to be connected to makes
/// the state of a socket that has no peer itself `established`, too.
bool save_unix_datagram(Saving& saving, OpenDescription& d, const UnixSocket& s, uint64_t peer) {
  bool is_of_pair = is_nameless(d, true) && (s.peer || (s.state == kEstablished && is_nameless(d, false)));
  if (is_of_pair && s.peer && !peer) return unsupported(d, "it is connected to a nameless socket outside the job");
  if (is_of_pair && (!peer || query_unix_socket(peer).peer == d.record.inode)) return save_unix_pair(saving, d, s, peer);
  d.record.value[4] = s.shutdown;
  if (s.peer && !peer) degraded(d, "it is connected again to the name of its peer, if that is there");
  return save_bound(saving, d, s, DescriptionKind::kDatagramSocket, s.peer) && save_socket_queue(saving, d);
}

bool save_unix(Saving& saving, OpenDescription& d) {
  UnixSocket s = query_unix_socket(d.record.inode);
  if (!s.known) {
    if (option(d.fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) s.state = kListening, s.backlog = 128;
    else if (address(d.fd, true).size) return save_unix_lost(saving, d);
  }
  if (s.state == kListening) return save_unix_listener(saving, d, s);
  uint64_t peer = peer_inside(d, s);
  if (option(d.fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM) return save_unix_datagram(saving, d, s, peer);
  bool had_peer = s.state == kEstablished || s.shutdown || (poll_now(d.fd) & POLLRDHUP);
  if (!had_peer) return save_bound(saving, d, s, DescriptionKind::kFreshSocket, false);
  if (s.peer && !peer) return save_unix_lost(saving, d);
  return save_unix_pair(saving, d, s, peer);
}

// Internet sockets

struct TcpInfo {  // the beginning of struct tcp_info
  uint8_t state, other[7];
  uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked;
};

TcpInfo tcp_info(int fd) {
  TcpInfo info{};
  socklen_t size = sizeof info;
  sys(__NR_getsockopt, fd, IPPROTO_TCP, 11 /* TCP_INFO */, &info, &size);
  return info;
}

struct Endpoint {
  in6_addr address;
  uint32_t port;
};

/// A socket of both families has IPv4 addresses in the form ::ffff:A.B.C.D, the other end of the connection perhaps as they are.
Endpoint endpoint(const Address& a) {
  Endpoint e{};
  if (a.storage.ss_family == AF_INET6) {
    auto& v6 = reinterpret_cast<const sockaddr_in6&>(a.storage);
    e.address = v6.sin6_addr, e.port = v6.sin6_port;
  } else {
    auto& v4 = reinterpret_cast<const sockaddr_in&>(a.storage);
    e.address.s6_addr[10] = e.address.s6_addr[11] = 0xff;
    memcpy(e.address.s6_addr + 12, &v4.sin_addr, sizeof v4.sin_addr), e.port = v4.sin_port;
  }
  return e;
}

/// The name of one end of a connection: its two addresses, the other end's the other way round.
ObjectName end_of_connection(const Address& own, const Address& peer) {
  Endpoint both[2] = {endpoint(own), endpoint(peer)};
  return {XXH3_64bits_withSeed(both, sizeof both, 1), XXH3_64bits(both, sizeof both)};
}

bool is_tcp(int fd) {
  int family = option(fd, SOL_SOCKET, SO_DOMAIN);
  return (family == AF_INET || family == AF_INET6) && option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
}

/// Bytes that the other end's window had no room for: nobody can read them.
bool has_unsent(int fd) {
  int bytes = 0;
  return sys(__NR_ioctl, fd, 0x894b /* SIOCOUTQNSD */, &bytes) < 0 || bytes > 0;
}

/// What waits only to be sent together with more (Nagle's algorithm, TCP_CORK) is sent by setting TCP_NODELAY, see tcp(7).
void send_held_back(int fd) {
  if (!has_unsent(fd)) return;
  int on = 1, was = option(fd, IPPROTO_TCP, TCP_NODELAY);
  sys(__NR_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (was == 0) sys(__NR_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &was, sizeof was);
}

bool save_tcp_pair(Saving& saving, OpenDescription& d, uint64_t peer, uint32_t tcp_state) {
  d.record.peer = pair_number(d, peer);
  if (tcp_state == kFinWait1 || tcp_state == kFinWait2) d.record.value[4] = kSends;
  if (poll_now(d.fd) & POLLRDHUP) d.record.value[4] |= kReceives;
  return write_socket(saving, d, DescriptionKind::kTcpPair, true, true) && save_tcp_queue(saving, d);
}

/// It can come back as it is, if the other end can.
bool is_whole(const OpenDescription& d, uint32_t tcp_state) {
  return (tcp_state == kEstablished || tcp_state == kFinWait2 || tcp_state == kCloseWait) && !has_unsent(d.fd);
}

/// The inode of the other end of a connection to the job itself, else 0.
uint64_t tcp_peer_inside(const OpenDescription& d, uint32_t tcp_state) {
  if (!is_whole(d, tcp_state)) return 0;
  uint64_t inode = 0;
  Address own = address(d.fd, false), peer = address(d.fd, true);
  object_facts(end_of_connection(peer, own), &inode);
  return inode == d.record.inode ? 0 : inode;
}

bool enter_tcp(const OpenDescription& d) {
  uint32_t tcp_state = tcp_info(d.fd).state;
  if (tcp_state == kEstablished || tcp_state == kCloseWait) send_held_back(d.fd);
  if (!is_whole(d, tcp_state)) return true;
  return note_object(end_of_connection(address(d.fd, false), address(d.fd, true)), kHasSocket, d.record.inode);
}

bool is_to_this_address(int fd) {
  uint32_t s = tcp_info(fd).state;
  Endpoint own = endpoint(address(fd, false)), peer = endpoint(address(fd, true));
  return (s == kEstablished || s == kFinWait2 || s == kCloseWait) && !memcmp(&own.address, &peer.address, sizeof own.address);
}

/// The other end has said all that it had to say and nobody has been reset: what it said is here.
bool has_ended(const OpenDescription& d, uint32_t tcp_state) {
  short events = poll_now(d.fd);
  return (tcp_state == kCloseWait || tcp_state == kLastAck || tcp_state == kClosing || tcp_state == kClosed) &&
         (events & POLLRDHUP) && !(events & POLLERR);
}

bool save_ended_tcp(Saving& saving, OpenDescription& d, uint32_t tcp_state) {
  degraded(d, "its other end had ended it: what came from there can be read, and what is sent there is lost");
  d.record.value[4] = kReceives | (tcp_state == kCloseWait ? 0 : kSends);
  return write_socket(saving, d, DescriptionKind::kTcpLost, true, true) && save_tcp_queue(saving, d);
}

bool save_tcp(Saving& saving, OpenDescription& d) {
  TcpInfo info = tcp_info(d.fd);
  if (info.state == kListening) {
    d.record.value[4] = info.sacked;
    if (info.unacked) degraded(d, "connections that were not yet accepted are reset");
    return write_socket(saving, d, DescriptionKind::kTcpListener, true, false);
  }
  if (info.state == kClosed && !(poll_now(d.fd) & POLLRDHUP))
    return write_socket(saving, d, DescriptionKind::kFreshSocket, true, false);
  if (uint64_t peer = tcp_peer_inside(d, info.state)) return save_tcp_pair(saving, d, peer, info.state);
  if (has_ended(d, info.state)) return save_ended_tcp(saving, d, info.state);
  degraded(d, "a connection does not move: it comes back as one that was reset");
  return write_socket(saving, d, DescriptionKind::kTcpLost, true, true);
}

bool save_datagram(Saving& saving, OpenDescription& d) {
  return write_socket(saving, d, DescriptionKind::kDatagramSocket, true, true) && (!owns(d) || save_memberships(saving, d)) &&
         save_datagrams(saving, d);
}

bool save_internet(Saving& saving, OpenDescription& d) {
  auto type = d.record.value[1], protocol = d.record.value[2];
  if (type == SOCK_STREAM && protocol == IPPROTO_TCP) return save_tcp(saving, d);
  if (type == SOCK_DGRAM) return save_datagram(saving, d);
  if (type == SOCK_RAW) return unsupported(d, "a raw socket is the kernel's view of one host's network");
  return unsupported(d, "this protocol is not supported");
}

struct Refused {
  int family;
  const char* why;
};
constexpr Refused kRefused[] = {
    {AF_NETLINK, "a netlink socket: its other half is the kernel of this host"},
    {AF_PACKET, "a packet socket is bound to a network interface of this host"},
    {AF_VSOCK, "a vsock socket leads to this machine's hypervisor"},
    {AF_ALG, "a socket of the kernel's cipher interface cannot be read back"},
    {44 /* AF_XDP */, "an XDP socket is bound to a network interface of this host"},
    {AF_BLUETOOTH, "a Bluetooth socket leads to a device of this host"},
    {AF_CAN, "a CAN socket leads to a device of this host"},
};

}  // namespace

bool enter_socket(const OpenDescription& d) {
  if (option(d.fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX) return note_object(object_of(d), kHasSocket);
  return !is_tcp(d.fd) || enter_tcp(d);
}

void end_connections_at_once() {
  ScopedFd dir(open_path("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return;
  each_entry(dir.get(), [](const char* name, unsigned char) {
    auto fd = static_cast<int32_t>(Scan(name).number());
    linger none{1, 0};
    if (is_tcp(fd) && is_to_this_address(fd)) sys(__NR_setsockopt, fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    return true;
  });
}

bool save_socket(Saving& saving, OpenDescription& d) {
  int family = option(d.fd, SOL_SOCKET, SO_DOMAIN);
  d.record.value[0] = static_cast<uint64_t>(family);
  d.record.value[1] = static_cast<uint64_t>(option(d.fd, SOL_SOCKET, SO_TYPE));
  d.record.value[2] = static_cast<uint64_t>(option(d.fd, SOL_SOCKET, SO_PROTOCOL));
  if (family == AF_UNIX) return save_unix(saving, d);
  if (family == AF_INET || family == AF_INET6) return save_internet(saving, d);
  for (const Refused& r : kRefused)
    if (r.family == family) return unsupported(d, r.why);
  return unsupported(d, "sockets of this family are not supported");
}

}  // namespace mig
