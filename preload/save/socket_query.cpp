// sock_diag(7) tells an ordinary user which inode the peer of a unix socket has; nothing else does.
#include "preload/save/socket_query.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "image/base/file.h"

namespace mig {
namespace {

struct Question {
  nlmsghdr header;
  unix_diag_req request;
};

void read_attribute(const rtattr* a, UnixSocket& s) {
  auto data = reinterpret_cast<const char*>(a) + RTA_LENGTH(0);
  switch (a->rta_type) {
    case UNIX_DIAG_VFS: memcpy(&s.file, data, 4); break;
    case UNIX_DIAG_PEER: memcpy(&s.peer, data, 4); break;
    case UNIX_DIAG_RQLEN:
      memcpy(&s.pending, data, 4);
      memcpy(&s.backlog, data + 4, 4);
      break;
    case UNIX_DIAG_SHUTDOWN: s.shutdown = static_cast<unsigned char>(*data); break;
    default: break;
  }
}

UnixSocket read_answer(const char* buffer, long size) {
  UnixSocket s{};
  auto header = reinterpret_cast<const nlmsghdr*>(buffer);
  if (size < static_cast<long>(NLMSG_LENGTH(sizeof(unix_diag_msg))) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return s;
  auto message = reinterpret_cast<const unix_diag_msg*>(buffer + NLMSG_HDRLEN);
  s.known = true;
  s.state = message->udiag_state;
  const char* at = buffer + NLMSG_LENGTH(sizeof *message);
  const char* end = buffer + (header->nlmsg_len < static_cast<uint32_t>(size) ? header->nlmsg_len : static_cast<uint32_t>(size));
  while (end - at >= static_cast<long>(sizeof(rtattr))) {
    auto a = reinterpret_cast<const rtattr*>(at);
    if (a->rta_len < sizeof(rtattr)) break;
    read_attribute(a, s);
    at += RTA_ALIGN(a->rta_len);
  }
  return s;
}

}  // namespace

UnixSocket query_unix_socket(uint64_t inode) {
  ScopedFd fd(sys(__NR_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.ok()) return {};
  Question q{};
  q.header = {sizeof q, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0};
  q.request.sdiag_family = AF_UNIX;
  q.request.udiag_states = ~0u;
  q.request.udiag_ino = static_cast<uint32_t>(inode);
  q.request.udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  q.request.udiag_cookie[0] = q.request.udiag_cookie[1] = ~0u;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sys(__NR_sendto, fd.get(), &q, sizeof q, 0, &kernel, sizeof kernel) < 0) return {};
  alignas(8) char buffer[2048];
  long n = sys(__NR_recvfrom, fd.get(), buffer, sizeof buffer, 0, nullptr, nullptr);
  return read_answer(buffer, n);
}

}  // namespace mig
