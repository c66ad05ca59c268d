// TCP connections that have ended from the other side: what came from there can still be read, then its end, and no error. One that
// nobody but its own end has shut for reading, and one that both have shut for writing.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

static int left, deaf[2], done[2];

static void connect_pair(int ends[2]) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!bind(listener, (void*)&a, size) && !listen(listener, 1) && !getsockname(listener, (void*)&a, &size));
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(ends[0], (void*)&a, size));
  ends[1] = accept(listener, NULL, NULL);
  EXPECT(ends[1] >= 0 && !close(listener));
}
static int is_ended(int fd) {
  struct pollfd p = {fd, POLLRDHUP, 0};
  return poll(&p, 1, 0) == 1;
}

static void setup(void) {
  int ends[2];
  connect_pair(ends);
  EXPECT(send(ends[0], "last words", 10, 0) == 10 && !close(ends[0]));
  left = ends[1];
  connect_pair(deaf);
  EXPECT(!shutdown(deaf[0], SHUT_RD));
  connect_pair(done);
  EXPECT(send(done[0], "there", 5, 0) == 5 && !shutdown(done[0], SHUT_WR));
  WAIT_FOR(is_ended(done[1]));
  EXPECT(send(done[1], "back", 4, 0) == 4 && !shutdown(done[1], SHUT_WR));
  WAIT_FOR(is_ended(left) && is_ended(done[0]));
}

static void verify(void) {
  char text[16];
  if (!generation) {
    EXPECT_EQ(recv(left, text, sizeof text, 0), 10);
    EXPECT(!memcmp(text, "last words", 10));
    EXPECT_EQ(recv(done[1], text, sizeof text, 0), 5);
    EXPECT_EQ(recv(done[0], text, sizeof text, 0), 4);
  }
  EXPECT_EQ(recv(left, text, sizeof text, 0), 0);
  EXPECT_EQ(recv(done[0], text, sizeof text, 0), 0);
  EXPECT_EQ(recv(done[1], text, sizeof text, 0), 0);
  EXPECT(send(done[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
  EXPECT_EQ(recv(deaf[0], text, sizeof text, MSG_DONTWAIT), 0);
  EXPECT_EQ(send(deaf[0], "speaks", 6, 0), 6);
  EXPECT_EQ(recv(deaf[1], text, sizeof text, 0), 6);
}
