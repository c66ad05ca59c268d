// Pipes with both ends inside: contents, capacity, packets, flags, a full one, one with its writer closed.
#include "subject.h"

static int plain[2], full[2], packets[2], ended[2];
static char page[70000];

static void refill(void) {
  EXPECT_EQ(write(plain[1], "some contents", 13), 13);
  EXPECT_EQ(write(packets[1], "one", 3), 3);
  EXPECT_EQ(write(packets[1], "second", 6), 6);
}

static void setup(void) {
  EXPECT(!pipe2(plain, O_NONBLOCK | O_CLOEXEC) && !pipe(full) && !pipe2(packets, O_DIRECT) && !pipe(ended));
  EXPECT(fcntl(full[1], F_SETPIPE_SZ, 1 << 19) == 1 << 19 || errno == EPERM);
  fcntl(full[1], F_SETFL, O_NONBLOCK);
  fill(page, sizeof page, 1);
  EXPECT_EQ(write(full[1], page, 60000), 60000);
  EXPECT_EQ(write(ended[1], "end", 3), 3);
  close(ended[1]);
  refill();
}

static void verify(void) {
  static int capacity;
  char text[100] = "";
  struct stat s;
  EXPECT_EQ(fcntl(plain[0], F_GETFL), O_NONBLOCK);
  EXPECT_EQ(fcntl(plain[1], F_GETFL), O_WRONLY | O_NONBLOCK);
  EXPECT_EQ(fcntl(plain[0], F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(packets[1], F_GETFL) & O_DIRECT, O_DIRECT);
  EXPECT(!fstat(plain[0], &s) && S_ISFIFO(s.st_mode));
  EXPECT_EQ(read(plain[0], text, sizeof text), 13);
  EXPECT(!memcmp(text, "some contents", 13));
  EXPECT(read(plain[0], text, 1) < 0 && errno == EAGAIN);
  EXPECT_EQ(read(packets[0], text, 100), 3);
  EXPECT_EQ(read(packets[0], text, 4), 4);  // the rest of a packet is thrown away
  EXPECT_EQ(fcntl(packets[0], F_GETFL), 0);
  if (!capacity) capacity = fcntl(full[1], F_GETPIPE_SZ);
  EXPECT(fcntl(full[1], F_GETPIPE_SZ) == capacity && capacity >= 65536);
  char *back = malloc(60000);
  size_t got = 0;
  while (got < 60000) {
    ssize_t n = read(full[0], back + got, 60000 - got);
    if (n <= 0) break;
    got += n;
  }
  EXPECT_EQ(got, 60000);
  EXPECT_EQ(first_wrong(back, 60000, 1), -1);
  free(back);
  EXPECT_EQ(write(full[1], page, 60000), 60000);
  if (generation == 0) EXPECT_EQ(read(ended[0], text, 100), 3);
  EXPECT_EQ(read(ended[0], text, 100), 0);
  refill();
}
