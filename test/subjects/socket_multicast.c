// Multicast groups of both families that a socket has joined on the loopback interface: it is in them again.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

static int four, six;
static uint32_t loopback;

static int is_member(int fd, int level, const struct sockaddr_storage* group) {
  struct group_filter f = {.gf_interface = loopback, .gf_group = *group};
  socklen_t size = sizeof f;
  return !getsockopt(fd, level, MCAST_MSFILTER, &f, &size);
}
static struct sockaddr_storage group_of(int family) {
  struct sockaddr_storage a = {.ss_family = family};
  void* to = family == AF_INET ? (void*)&((struct sockaddr_in*)&a)->sin_addr : (void*)&((struct sockaddr_in6*)&a)->sin6_addr;
  EXPECT_EQ(inet_pton(family, family == AF_INET ? "239.1.2.3" : "ff01::1:2:3", to), 1);
  return a;
}
static int join(int family, int level) {
  struct group_req r = {.gr_interface = loopback, .gr_group = group_of(family)};
  int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (setsockopt(fd, level, MCAST_JOIN_GROUP, &r, sizeof r)) skip("no multicast here: %s", strerror(errno));
  return fd;
}

static void setup(void) {
  loopback = if_nametoindex("lo");
  four = join(AF_INET, IPPROTO_IP), six = join(AF_INET6, IPPROTO_IPV6);
}

static void verify(void) {
  struct sockaddr_storage a = group_of(AF_INET), b = group_of(AF_INET6);
  EXPECT(is_member(four, IPPROTO_IP, &a));
  EXPECT(is_member(six, IPPROTO_IPV6, &b));
  ((struct sockaddr_in*)&a)->sin_addr.s_addr = htonl(0xef010204);
  EXPECT(!is_member(four, IPPROTO_IP, &a));
}
