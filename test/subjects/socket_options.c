// Options of sockets of every family: what setsockopt(2) had changed is changed, buffers that the kernel sizes stay the kernel's.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"

struct Setting {
  int level, name, value;
};
static const struct Setting for_tcp[] = {{SOL_SOCKET, SO_ZEROCOPY, 1},   {SOL_SOCKET, SO_MAX_PACING_RATE, 50000000},
                                         {IPPROTO_IP, IP_MINTTL, 3},     {IPPROTO_IP, IP_RECVORIGDSTADDR, 1},
                                         {IPPROTO_TCP, TCP_SAVE_SYN, 1}, {IPPROTO_TCP, TCP_INQ, 1}};
static const struct Setting for_udp6[] = {{SOL_SOCKET, SO_RXQ_OVFL, 1},         {SOL_SOCKET, SO_TIMESTAMPING, 0x50},
                                          {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1}, {IPPROTO_IPV6, IPV6_DONTFRAG, 1},
                                          {IPPROTO_IPV6, IPV6_MULTICAST_IF, 1}, {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
                                          {IPPROTO_IPV6, IPV6_UNICAST_IF, 0},   {IPPROTO_UDP, 103 /* UDP_SEGMENT */, 512}};
static const struct Setting for_unix[] = {
    {SOL_SOCKET, SO_REUSEADDR, 1}, {SOL_SOCKET, 76 /* SO_PASSPIDFD */, 1}, {SOL_SOCKET, SO_PASSCRED, 1}};
static int tcp, udp6, ends[2], locked;

static int get(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) ? -1 : value;
}
static void set_all(int fd, const struct Setting* s, size_t count) {
  for (size_t i = 0; i < count; ++i) setsockopt(fd, s[i].level, s[i].name, &s[i].value, sizeof s[i].value);
}
/// What this kernel does not have it has neither before nor after.
static void check_all(int fd, const struct Setting* s, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (get(fd, s[i].level, s[i].name) != -1 && get(fd, s[i].level, s[i].name) != s[i].value)
      fail("option %d of level %d is %d, not %d", s[i].name, s[i].level, get(fd, s[i].level, s[i].name), s[i].value);
}
#define ALL(table) table, sizeof table / sizeof *table

static void setup(void) {
  tcp = socket(AF_INET, SOCK_STREAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  set_all(tcp, ALL(for_tcp));
  set_all(udp6, ALL(for_udp6));
  set_all(ends[0], ALL(for_unix));
  locked = get(tcp, SOL_SOCKET, 72 /* SO_BUF_LOCK */);
  verify();
}

static void verify(void) {
  check_all(tcp, ALL(for_tcp));
  if (udp6 >= 0) check_all(udp6, ALL(for_udp6));
  check_all(ends[0], ALL(for_unix));
  EXPECT_EQ(get(tcp, SOL_SOCKET, 72), locked);
}
