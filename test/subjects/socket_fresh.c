// Sockets that are not connected: new ones, and UDP sockets bound to a port, with their options.
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

static int fresh, udp, port;

static void setup(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof a;
  int on = 1;
  fresh = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fresh, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  EXPECT(!bind(udp, (void *)&a, sizeof a) && !getsockname(udp, (void *)&a, &length));
  port = a.sin_port;
}

static void verify(void) {
  struct sockaddr_in a;
  socklen_t length = sizeof a;
  int n = 0;
  char text[8];
  EXPECT(!getsockname(udp, (void *)&a, &length));
  EXPECT_EQ(a.sin_port, port);
  EXPECT_EQ(sendto(udp, "myself", 6, 0, (void *)&a, sizeof a), 6);
  EXPECT_EQ(recv(udp, text, 8, 0), 6);
  length = sizeof n;
  EXPECT(!getsockopt(fresh, SOL_SOCKET, SO_KEEPALIVE, &n, &length) && n == 1);
  EXPECT(fcntl(fresh, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fresh, F_GETFD) == FD_CLOEXEC);
  EXPECT(send(fresh, "x", 1, MSG_NOSIGNAL) < 0 && (errno == EPIPE || errno == ENOTCONN));
}
