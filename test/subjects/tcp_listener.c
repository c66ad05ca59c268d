// Listening TCP sockets of both families: port, options, backlog; a client connects and is served after the restart.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"

static int four, six = -1, bound;
static struct sockaddr_in6 address;
static socklen_t length;

static void serve(int listener, int family) {
  struct sockaddr_in6 a;
  char text[8] = "";
  length = sizeof a;
  EXPECT(!getsockname(listener, (void *)&a, &length));
  int client = socket(family, SOCK_STREAM, 0);
  EXPECT(!connect(client, (void *)&a, length));
  int served = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  EXPECT(served >= 0);
  EXPECT_EQ(send(served, "hello", 5, 0), 5);
  EXPECT_EQ(recv(client, text, 8, 0), 5);
  struct linger now = {1, 0};
  setsockopt(served, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(served), close(client);
}

static int listen_on(int family, int reuse) {
  int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  if (reuse) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  int r = family == AF_INET ? bind(fd, (void *)&a, sizeof a) : bind(fd, (void *)&b, sizeof b);
  if (r || listen(fd, 17)) return close(fd), -1;
  return fd;
}

static int port_of(int fd) {
  length = sizeof address;
  getsockname(fd, (void *)&address, &length);
  return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int port;

static void setup(void) {
  four = listen_on(AF_INET, 1), six = listen_on(AF_INET6, 1);
  EXPECT(four >= 0);
  port = port_of(four);
  bound = socket(AF_INET, SOCK_DGRAM, 0);
  (void)bound;
}

static void verify(void) {
  int n = 0;
  EXPECT_EQ(port_of(four), port);
  length = sizeof n;
  EXPECT(!getsockopt(four, SOL_SOCKET, SO_ACCEPTCONN, &n, &length) && n == 1);
  EXPECT(!getsockopt(four, SOL_SOCKET, SO_REUSEADDR, &n, &length) && n == 1);
  EXPECT(!getsockopt(four, IPPROTO_TCP, TCP_NODELAY, &n, &length) && n == 1);
  EXPECT_EQ(fcntl(four, F_GETFD), FD_CLOEXEC);
  serve(four, AF_INET);
  if (six >= 0) serve(six, AF_INET6);
}
