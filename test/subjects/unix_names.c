// What hangs on the names of unix datagram sockets: from whom a waiting message came, be the sender gone or another process's; pairs
// that are connected by names, or to themselves; what waits in a pair whose other end was closed.
#include <sys/socket.h>
#include <sys/un.h>

#include "members.h"

enum { kBox, kNamed, kSelf, kA, kB, kSockets };
static const char* const names[] = {"box", "named", "self", "a", "b"};
static int fd[kSockets], left[2];

static struct sockaddr_un name_of(const char* name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof a.sun_path, "%.90s/%s", directory, name);
  return a;
}
static int make(const char* name) {
  struct sockaddr_un a = name_of(name);
  int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  EXPECT(!bind(s, (void*)&a, sizeof a));
  return s;
}
static void post(int from, const char* to, const char* text) {
  struct sockaddr_un a = name_of(to);
  EXPECT_EQ(sendto(from, text, strlen(text), 0, (void*)&a, sizeof a), strlen(text));
}
static void take(int from, const char* text, const char* sender) {
  struct sockaddr_un a = {0}, wanted = name_of(sender);
  socklen_t size = sizeof a;
  char got[16] = "";
  EXPECT_EQ(recvfrom(from, got, sizeof got, 0, (void*)&a, &size), strlen(text));
  EXPECT_STR(got, text);
  if (memcmp(a.sun_path, wanted.sun_path, 20)) fail("\"%s\" comes from \"%s\", not \"%s\"", got, a.sun_path, wanted.sun_path);
}

static void post_all(void) {
  int gone = make("gone");
  post(gone, "box", "last");
  EXPECT(!close(gone) && !unlink(name_of("gone").sun_path));
  post(fd[kNamed], "box", "mine");
  ask_member(0, 1);
  EXPECT(send(fd[kSelf], "me", 2, 0) == 2 && send(fd[kA], "to b", 4, 0) == 4);
}

/// The other process has a socket of its own.
static void serve(int order) {
  static int own = -1;
  if (own < 0) own = make("other");
  post(own, "box", "other");
}

static void connect_to(int s, const char* name) {
  struct sockaddr_un a = name_of(name);
  EXPECT(!connect(s, (void*)&a, sizeof a));
}

static void setup(void) {
  for (int i = 0; i < kSockets; ++i) fd[i] = make(names[i]);
  start_member(0, serve);
  connect_to(fd[kSelf], "self");
  connect_to(fd[kA], "b");
  connect_to(fd[kB], "a");
  EXPECT(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, left) && send(left[0], "left", 4, 0) == 4 && !close(left[0]));
  post_all();
}

static void verify(void) {
  char text[8];
  take(fd[kBox], "last", "gone");
  take(fd[kBox], "mine", "named");
  take(fd[kBox], "other", "other");
  take(fd[kSelf], "me", "self");
  take(fd[kB], "to b", "a");
  if (!generation) EXPECT_EQ(recv(left[1], text, sizeof text, 0), 4);
  EXPECT(send(left[1], "x", 1, MSG_NOSIGNAL) < 0);
  post_all();
}
