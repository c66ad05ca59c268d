// TCP connections whose both ends the program holds, beside their listener: addresses, what waits in them, half-closed ones, one
// from an IPv4 socket to a listener of both families.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

static int listener, client, server, half_client, half_server, both_client, both_server, both_lower;
static struct sockaddr_in own, peer;

static void link_up(int *a, int *b) {
  struct sockaddr_in where;
  socklen_t length = sizeof where;
  EXPECT(!getsockname(listener, (void *)&where, &length));
  *a = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(*a, (void *)&where, length));
  *b = accept(listener, NULL, NULL);
  EXPECT(*b >= 0);
}

static void link_up_both(void) {
  struct sockaddr_in6 any = {.sin6_family = AF_INET6};
  socklen_t length = sizeof any;
  int fd = socket(AF_INET6, SOCK_STREAM, 0), off = 0;
  EXPECT(!setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) && !bind(fd, (void *)&any, sizeof any) && !listen(fd, 5));
  EXPECT(!getsockname(fd, (void *)&any, &length));
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = any.sin6_port};
  both_client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(both_client, (void *)&where, sizeof where));
  both_server = accept(fd, NULL, NULL);
  EXPECT(both_server >= 0);
  EXPECT_EQ(dup3(both_server, both_lower, O_CLOEXEC), both_lower);
  EXPECT(!close(both_server) && !close(fd));
  both_server = both_lower;
}

static void refill(void) {
  EXPECT_EQ(send(client, "to the server", 13, 0), 13);
  EXPECT_EQ(send(server, "to the client", 13, 0), 13);
}

static void setup(void) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof own;
  int on = 1;
  both_lower = open("/dev/null", O_RDONLY);  // the accepted end stands before the other one
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT(!bind(listener, (void *)&any, sizeof any) && !listen(listener, 5));
  link_up(&client, &server), link_up(&half_client, &half_server), link_up_both();
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  EXPECT_EQ(send(half_client, "last", 4, 0), 4);
  EXPECT(!shutdown(half_client, SHUT_WR));
  getsockname(client, (void *)&own, &length), getpeername(client, (void *)&peer, &length);
  refill();
  sleep_ms(50);
}

static void verify(void) {
  struct sockaddr_in a, b;
  socklen_t length = sizeof a;
  char text[64] = "";
  int on = 0, fd, served;
  EXPECT(!getsockname(client, (void *)&a, &length) && !getpeername(client, (void *)&b, &length));
  EXPECT(a.sin_port == own.sin_port && b.sin_port == peer.sin_port);
  EXPECT_EQ(recv(server, text, 64, 0), 13);
  EXPECT_STR(text, "to the server");
  EXPECT_EQ(recv(client, text, 64, 0), 13);
  EXPECT_STR(text, "to the client");
  EXPECT(send(both_client, "4 to 6", 6, 0) == 6 && send(both_server, "6 to 4", 6, 0) == 6);
  EXPECT_EQ(recv(both_server, text, 64, 0), 6);
  EXPECT(!memcmp(text, "4 to 6", 6));
  EXPECT_EQ(recv(both_client, text, 64, 0), 6);  // nothing waits: when the ends are closed, the kernel keeps the name for a minute
  EXPECT(!memcmp(text, "6 to 4", 6));
  length = sizeof on;
  EXPECT(!getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, &length) && on);
  struct pollfd p = {half_server, POLLRDHUP, 0};
  EXPECT_EQ(recv(half_server, text, 64, MSG_PEEK), 4);
  EXPECT(poll(&p, 1, 0) == 1 && p.revents & POLLRDHUP);
  EXPECT_EQ(send(half_server, "back", 4, 0), 4);
  EXPECT_EQ(recv(half_client, text, 64, 0), 4);
  EXPECT(send(half_client, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
  refill();
  link_up(&fd, &served);
  close(served), close(fd);
}
