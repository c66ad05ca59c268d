// What waits to be read in pseudo-terminals whose slaves another process has too: output, bytes without lines (more than the line
// discipline holds), lines, ends of file, a line that is being edited, packet mode, stopped output, and a slave that nobody has any more.
// mig-test: generations=3
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "members.h"

enum { kRaw, kLines, kPackets, kStopped, kHungUp, kPairs };
static struct pair { int master, slave; } pairs[kPairs];
static unsigned char many[6000];

static struct pair open_pair(int raw) {
  struct pair p;
  struct termios t;
  p.master = posix_openpt(O_RDWR | O_NOCTTY);
  if (p.master < 0) skip("posix_openpt: %s", strerror(errno));
  EXPECT(!grantpt(p.master) && !unlockpt(p.master));
  p.slave = open(ptsname(p.master), O_RDWR | O_NOCTTY);
  EXPECT(p.slave >= 0 && !tcgetattr(p.slave, &t));
  if (raw) cfmakeraw(&t);
  t.c_cc[VEOL] = '|';
  EXPECT(!tcsetattr(p.slave, TCSANOW, &t));
  return p;
}

static void put(int fd, const void* bytes, size_t n) {
  for (size_t done = 0; done < n;) {
    ssize_t r = write(fd, (const char*)bytes + done, n - done);
    if (r <= 0) return fail("write %zu: %s", n, strerror(errno));
    done += (size_t)r;
  }
}
/// Waits for `n` bytes, which may come in parts.
static void expect_bytes(const char* what, int fd, const void* bytes, size_t n) {
  unsigned char got[8192];
  size_t have = 0;
  struct pollfd p = {fd, POLLIN, 0};
  while (have < n && poll(&p, 1, 5000) == 1) {
    ssize_t r = read(fd, got + have, sizeof got - have);
    if (r <= 0) break;
    have += (size_t)r;
  }
  if (have != n || memcmp(got, bytes, n))
    fail("%s: %zu bytes \"%.*s\", not %zu", what, have, (int)(have < 60 ? have : 60), got, n);
}
/// One read gives just that.
static void expect_read(const char* what, int fd, const char* text) {
  char got[8192];
  struct pollfd p = {fd, POLLIN, 0};
  ssize_t n = poll(&p, 1, 5000) == 1 ? read(fd, got, sizeof got) : -1;
  if (n != (ssize_t)strlen(text) || memcmp(got, text, strlen(text)))
    fail("%s: read %zd bytes \"%.*s\", not \"%s\"", what, n, (int)(n > 0 ? n : 0), got, text);
}

static void fill_all(void) {
  put(pairs[kRaw].master, many, sizeof many);
  put(pairs[kRaw].slave, "a\0b\nc", 5);
  put(pairs[kLines].slave, "out\n", 4);
  put(pairs[kLines].master, "one\ntwo\004\004t\026\nhree|q\026|uoted\npart\003\023", 28 + 4);
  put(pairs[kPackets].slave, "packet", 6);
  put(pairs[kStopped].slave, "before", 6);
  put(pairs[kStopped].master, "\023", 1);
  if (pairs[kHungUp].slave >= 0) {
    put(pairs[kHungUp].slave, "last words", 10);
    close(pairs[kHungUp].slave);
    pairs[kHungUp].slave = -1;
  }
}

static void serve(int order) {
  expect_read("line", pairs[kLines].slave, "one\n");
  expect_read("marked", pairs[kLines].slave, "two");
}

static void setup(void) {
  int on = 1;
  fill(many, sizeof many, 7);
  for (int i = 0; i < kPairs; ++i)
    if (i != kHungUp) pairs[i] = open_pair(i == kRaw);
  struct termios t;
  tcgetattr(pairs[kLines].slave, &t);
  t.c_lflag &= ~(tcflag_t)(ISIG | ECHO);
  t.c_iflag &= ~(tcflag_t)IXON;
  tcsetattr(pairs[kLines].slave, TCSANOW, &t);
  EXPECT_EQ(ioctl(pairs[kPackets].master, TIOCPKT, &on), 0);
  start_member(0, serve);
  pairs[kHungUp] = open_pair(0);
  fill_all();
}

static int is_stopped(int slave) {
  int flags = fcntl(slave, F_GETFL);
  fcntl(slave, F_SETFL, flags | O_NONBLOCK);
  ssize_t n = write(slave, "x", 1);
  int error = errno;
  fcntl(slave, F_SETFL, flags);
  return n < 0 && error == EAGAIN;
}

static void verify_lines(void) {
  struct pair p = pairs[kLines];
  ask_member(0, 1);
  expect_read("end of file", p.slave, "");
  expect_read("own end of line", p.slave, "t\nhree|");
  expect_read("quoted", p.slave, "q|uoted\n");
  struct pollfd none = {p.slave, POLLIN, 0};
  EXPECT_EQ(poll(&none, 1, 0), 0);
  put(p.master, "\177\177ed\n", 5);
  expect_read("edited", p.slave, "parted\n");
  expect_bytes("output", p.master, "out\r\n", 5);
}

static void verify(void) {
  expect_bytes("many", pairs[kRaw].slave, many, sizeof many);
  expect_bytes("raw output", pairs[kRaw].master, "a\0b\nc", 5);
  verify_lines();
  int on = 0;
  expect_bytes("packets", pairs[kPackets].master, "\0packet", 7);
  EXPECT(ioctl(pairs[kPackets].master, TIOCGPKT, &on) == 0 && on == 1);
  expect_bytes("stopped", pairs[kStopped].master, "before", 6);
  int stopped = 0, ms = 0;
  while (!(stopped = is_stopped(pairs[kStopped].slave)) && ms++ < 5000) sleep_ms(1);
  EXPECT(stopped);
  put(pairs[kStopped].master, "\021", 1);
  while (is_stopped(pairs[kStopped].slave) && ms++ < 5000) sleep_ms(1);
  expect_bytes("started", pairs[kStopped].master, "x", 1);
  struct termios t;
  tcgetattr(pairs[kLines].slave, &t);
  EXPECT(t.c_cc[VEOF] == 4 && (t.c_lflag & ICANON) && !(t.c_lflag & ECHO) && (t.c_oflag & OPOST));
  char text[64];
  if (generation == 0) expect_read("last words", pairs[kHungUp].master, "last words");
  EXPECT(read(pairs[kHungUp].master, text, sizeof text) < 0 && errno == EIO);
  fill_all();
}
