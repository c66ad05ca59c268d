// Unix datagram sockets: a pair by names, one that only sends to a name, what waits in them; UDP connected to itself.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

static int box, sender, udp;
static struct sockaddr_un name = {.sun_family = AF_UNIX};

static void setup(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof a;
  snprintf(name.sun_path, sizeof name.sun_path, "%.90s/box", directory);
  box = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  EXPECT(!bind(box, (void *)&name, sizeof name) && !connect(sender, (void *)&name, sizeof name));
  EXPECT_EQ(send(sender, "waiting", 7, 0), 7);
  EXPECT_EQ(send(sender, "too", 3, 0), 3);
  udp = socket(AF_INET, SOCK_DGRAM, 0);
  EXPECT(!bind(udp, (void *)&a, sizeof a) && !getsockname(udp, (void *)&a, &length) && !connect(udp, (void *)&a, sizeof a));
}

static void verify(void) {
  struct sockaddr_un peer = {0};
  struct sockaddr_in a = {0}, b = {0};
  socklen_t length = sizeof peer;
  char text[16];
  EXPECT_EQ(recv(box, text, 16, 0), 7);
  EXPECT_EQ(recv(box, text, 16, 0), 3);
  EXPECT(recv(box, text, 16, 0) < 0 && errno == EAGAIN);
  EXPECT(!getpeername(sender, (void *)&peer, &length));
  EXPECT_STR(peer.sun_path, name.sun_path);
  EXPECT_EQ(send(sender, "waiting", 7, 0), 7);
  EXPECT_EQ(send(sender, "too", 3, 0), 3);
  length = sizeof a;
  EXPECT(!getsockname(udp, (void *)&a, &length) && !getpeername(udp, (void *)&b, &length) && a.sin_port == b.sin_port);
  EXPECT_EQ(send(udp, "self", 4, 0), 4);
  EXPECT_EQ(recv(udp, text, 16, 0), 4);
}
