// Listening unix sockets, in the file system and abstract: a client connects after the restart; a bound datagram socket receives.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

static int named, abstract, datagram;
static struct sockaddr_un name = {.sun_family = AF_UNIX}, hidden = {.sun_family = AF_UNIX}, box = {.sun_family = AF_UNIX};
static socklen_t hidden_length;

static void serve(int listener, const struct sockaddr_un *a, socklen_t length) {
  char text[8];
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT(!connect(client, (const void *)a, length));
  int served = accept(listener, NULL, NULL);
  EXPECT_EQ(send(served, "hello", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(recv(client, text, 8, 0), 5);
  close(served), close(client);
}

static void setup(void) {
  snprintf(name.sun_path, sizeof name.sun_path, "%.90s/sock", directory);
  snprintf(box.sun_path, sizeof box.sun_path, "%.90s/box", directory);
  hidden_length = offsetof(struct sockaddr_un, sun_path) + 1 + snprintf(hidden.sun_path + 1, 90, "mig-subject-%d", getpid());
  named = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), abstract = socket(AF_UNIX, SOCK_STREAM, 0), datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT(!bind(named, (void *)&name, sizeof name) && !listen(named, 5));
  EXPECT(!chmod(name.sun_path, 0600));
  EXPECT(!bind(abstract, (void *)&hidden, hidden_length) && !listen(abstract, 5));
  EXPECT(!bind(datagram, (void *)&box, sizeof box));
}

static void verify(void) {
  struct stat s;
  serve(named, &name, sizeof name);
  serve(abstract, &hidden, hidden_length);
  EXPECT(accept(named, NULL, NULL) < 0 && errno == EAGAIN);
  EXPECT(!stat(name.sun_path, &s) && (s.st_mode & 0777) == 0600);
  int client = socket(AF_UNIX, SOCK_DGRAM, 0);
  char text[8];
  EXPECT_EQ(sendto(client, "letter", 6, 0, (void *)&box, sizeof box), 6);
  EXPECT_EQ(recv(datagram, text, 8, 0), 6);
  close(client);
}
