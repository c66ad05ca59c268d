// Datagrams that wait in Internet sockets, with their senders' addresses: from a socket of the same process, of another one, and
// from one that is gone; an empty one; both families.
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

enum { kFamilies = 2 };
static const int families[kFamilies] = {AF_INET, AF_INET6};
static int receiver[kFamilies], sender[kFamilies], go[2], done[2];
static struct sockaddr_storage to[kFamilies], from[kFamilies], from_child[kFamilies], from_gone[kFamilies];

static struct sockaddr_storage loopback(int family) {
  struct sockaddr_storage a = {.ss_family = family};
  if (family == AF_INET) ((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else ((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
  return a;
}

static socklen_t size_of(int family) { return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6); }
static int port_of(const struct sockaddr_storage *a) { return ((const struct sockaddr_in *)a)->sin_port; }

static int bound(int family, struct sockaddr_storage *name) {
  struct sockaddr_storage a = loopback(family);
  socklen_t size = sizeof *name;
  int fd = socket(family, SOCK_DGRAM, 0);
  EXPECT(!bind(fd, (void *)&a, size_of(family)) && !getsockname(fd, (void *)name, &size));
  return fd;
}

static void send_text(int fd, int i, const char *text) {
  EXPECT_EQ(sendto(fd, text, strlen(text), 0, (void *)&to[i], size_of(families[i])), strlen(text));
}

static void child(const int *fds) {
  char c;
  for (;;) {
    for (int i = 0; i < kFamilies; ++i) send_text(fds[i], i, "child");
    if (write(done[1], "x", 1) != 1 || read(go[0], &c, 1) != 1) _exit(0);
  }
}

static void fill_all(void) {
  char c;
  EXPECT(read(done[0], &c, 1) == 1);
  for (int i = 0; i < kFamilies; ++i) {
    send_text(sender[i], i, "own"), send_text(sender[i], i, "");
    int gone = bound(families[i], &from_gone[i]);
    send_text(gone, i, "gone");
    close(gone);
  }
}

static void setup(void) {
  int fds[kFamilies];
  EXPECT(!pipe(go) && !pipe(done));
  for (int i = 0; i < kFamilies; ++i) {
    receiver[i] = bound(families[i], &to[i]), sender[i] = bound(families[i], &from[i]);
    fds[i] = bound(families[i], &from_child[i]);
  }
  if (!fork()) close(go[1]), child(fds);
  for (int i = 0; i < kFamilies; ++i) close(fds[i]);
  close(go[0]);
  fill_all();
}

static void expect(int i, const char *text, const struct sockaddr_storage *wanted) {
  struct sockaddr_storage a = {0};
  char got[16] = "";
  socklen_t size = sizeof a;
  EXPECT_EQ(recvfrom(receiver[i], got, sizeof got - 1, MSG_DONTWAIT, (void *)&a, &size), strlen(text));
  EXPECT_STR(got, text);
  EXPECT_EQ(port_of(&a), port_of(wanted));
}

static void verify(void) {
  char c;
  for (int i = 0; i < kFamilies; ++i) {
    expect(i, "child", &from_child[i]), expect(i, "own", &from[i]), expect(i, "", &from[i]), expect(i, "gone", &from_gone[i]);
    EXPECT(recv(receiver[i], &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
  }
  EXPECT(write(go[1], "g", 1) == 1);
  fill_all();
}
