// Socket pairs of all types: contents with message boundaries, half-closed ones, buffer sizes, options, peer credentials.
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

static int stream[2], datagram[2], packet[2], half[2];

static void refill(void) {
  EXPECT_EQ(send(stream[0], "stream data", 11, 0), 11);
  EXPECT_EQ(send(stream[1], "other way", 9, 0), 9);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(send(datagram[0], "datagram", 8 - i, 0), 8 - i);
  EXPECT_EQ(send(packet[1], "a packet", 8, 0), 8);
  EXPECT_EQ(send(packet[1], "", 0, 0), 0);
  EXPECT_EQ(send(packet[1], "the last", 7, 0), 7);
}

static void setup(void) {
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream));
  EXPECT(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, datagram));
  EXPECT(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet));
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, half));
  int size = 20000, on = 1;
  setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(stream[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  struct timeval t = {3, 0};
  setsockopt(stream[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  EXPECT_EQ(send(half[0], "last words", 10, 0), 10);
  shutdown(half[0], SHUT_WR);
  refill();
}

static void verify(void) {
  char text[100] = "";
  int n = 0;
  socklen_t length = sizeof n;
  EXPECT_EQ(recv(stream[1], text, 100, 0), 11);
  EXPECT(!memcmp(text, "stream data", 11));
  EXPECT_EQ(read(stream[0], text, 100), 9);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(recv(datagram[1], text, 100, 0), 8 - i);
  EXPECT(recv(datagram[1], text, 100, 0) < 0 && errno == EAGAIN);
  EXPECT_EQ(recv(packet[0], text, 100, 0), 8);
  EXPECT_EQ(recv(packet[0], text, 100, 0), 0);
  EXPECT_EQ(recv(packet[0], text, 100, 0), 7);
  if (generation == 0) EXPECT_EQ(recv(half[1], text, 100, 0), 10);
  EXPECT_EQ(recv(half[1], text, 100, 0), 0);
  EXPECT(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
  EXPECT_EQ(send(half[1], "y", 1, 0), 1);
  EXPECT_EQ(recv(half[0], text, 100, 0), 1);
  EXPECT(!getsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &n, &length) && n == 40000);
  EXPECT(!getsockopt(stream[0], SOL_SOCKET, SO_PASSCRED, &n, &length) && n == 1);
  struct timeval t = {0, 0};
  length = sizeof t;
  EXPECT(!getsockopt(stream[1], SOL_SOCKET, SO_RCVTIMEO, &t, &length) && t.tv_sec == 3);
  EXPECT_EQ(fcntl(stream[0], F_GETFD), FD_CLOEXEC);
  EXPECT(!getsockopt(packet[0], SOL_SOCKET, SO_TYPE, &n, &length) && n == SOCK_SEQPACKET);
  struct ucred peer;
  length = sizeof peer;
  EXPECT(!getsockopt(stream[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
  EXPECT_EQ(peer.pid, getpid());
  refill();
}
