// Pipes with one end only: a writer without readers, a reader without writers; ends opened twice; a pipe open for both.
#include <poll.h>
#include <signal.h>

#include "subject.h"

static int alone_writer, alone_reader, in, out, in_again, both;

static void setup(void) {
  int p[2];
  char path[64];
  signal(SIGPIPE, SIG_IGN);
  EXPECT(!pipe(p));
  close(p[0]);
  alone_writer = p[1];
  EXPECT(!pipe(p));
  close(p[1]);
  alone_reader = p[0];
  EXPECT(!pipe(p));
  in = p[0], out = p[1];
  snprintf(path, sizeof path, "/proc/self/fd/%d", in);
  in_again = open(path, O_RDONLY | O_NONBLOCK);
  EXPECT(!pipe(p));
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
  both = open(path, O_RDWR);
  close(p[0]), close(p[1]);
  EXPECT(in_again >= 0 && both >= 0);
  EXPECT_EQ(write(out, "abcdef", 6), 6);
  EXPECT_EQ(write(both, "xyz", 3), 3);
}

static void verify(void) {
  char text[16] = "";
  struct pollfd p = {alone_reader, POLLIN, 0};
  EXPECT(write(alone_writer, "x", 1) < 0 && errno == EPIPE);
  EXPECT_EQ(read(alone_reader, text, 1), 0);
  EXPECT(poll(&p, 1, 0) == 1 && p.revents & POLLHUP);
  EXPECT_EQ(fcntl(in_again, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(in, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(read(in_again, text, 3), 3);
  EXPECT_EQ(read(in, text + 3, 3), 3);
  EXPECT_STR(text, "abcdef");
  EXPECT(read(in_again, text, 1) < 0 && errno == EAGAIN);
  EXPECT_EQ(read(both, text, 16), 3);
  EXPECT_EQ(write(out, "abcdef", 6), 6);
  EXPECT_EQ(write(both, "xyz", 3), 3);
}
