// A connection to somebody outside: after a restart reading, writing and polling tell that it was reset; nothing hangs.
// mig-test: peer=tcp
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

static int fd, reading;
static struct sockaddr_in outside = {.sin_family = AF_INET};

static int reach(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(s, (void *)&outside, sizeof outside));
  return s;
}

static void setup(void) {
  char text[16] = "";
  int f = open(in_directory("port"), O_RDONLY);
  read(f, text, 15);
  close(f);
  outside.sin_port = htons(atoi(text)), outside.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd = reach(), reading = reach();
  fcntl(reading, F_SETFL, O_NONBLOCK);
}

static void verify(void) {
  char c;
  int error = 0;
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  if (getenv("LD_PRELOAD") == NULL) return;  // undisturbed: the connection stands
  EXPECT_EQ(poll(&p, 1, 2000), 1);
  EXPECT(p.revents & (POLLERR | POLLHUP | POLLIN));
  ssize_t n = recv(reading, &c, 1, 0);
  EXPECT(n == 0 || (n < 0 && errno == ECONNRESET));
  n = send(fd, "x", 1, MSG_NOSIGNAL);
  EXPECT(n < 0 && (errno == ECONNRESET || errno == EPIPE || errno == ENOTCONN));
  n = recv(fd, &c, 1, 0);
  EXPECT(n <= 0);
  (void)error;
  close(fd), close(reading);
  fd = reach(), reading = reach();
  fcntl(reading, F_SETFL, O_NONBLOCK);
}
