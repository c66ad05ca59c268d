// Ends in different processes: pipes from the parent to a child and on to another with contents, blocked readers and writers, socket
// pairs, unix and TCP connections, FIFOs, a pseudo-terminal whose master is in the parent.
#include "members.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

enum { kPass = 1, kSocket, kConnect, kStream, kTcp, kFifo, kBlock, kBlocked, kTerminal, kDatagrams };

static int first[2], second[2], slow[2], wide[2], pair[2], grams[2], fifo, master, slave;
static int listener, tcp_listener, stream, tcp;
static char block[300000];
static pthread_t reader, writer;
static char read_text[32];
static long written;

static void *read_slow(void *unused) {
  EXPECT_EQ(read(slow[0], read_text, sizeof read_text), 5);
  return unused;
}
static void *write_wide(void *unused) {
  written = write(wide[1], block, sizeof block);
  return unused;
}

static void expect_text(int fd, const char *text) {
  char got[64] = "";
  for (size_t n = 0; n < strlen(text) && !failed_once;) {
    ssize_t more = read(fd, got + n, strlen(text) - n);
    EXPECT(more > 0);
    n += more > 0 ? more : 0;
  }
  EXPECT_STR(got, text);
}
static void send_text(int fd, const char *text) {
  EXPECT_EQ(write(fd, text, strlen(text)), strlen(text));
}

static int connected(int domain, const void *address, socklen_t size) {
  int fd = socket(domain, SOCK_STREAM, 0);
  EXPECT(!connect(fd, address, size));
  return fd;
}

static void serve_first(int order) {
  char c;
  switch (order % 100) {
    case kPass:
      for (int i = 0; i < 9; ++i) EXPECT(read(first[0], &c, 1) == 1 && write(second[1], &c, 1) == 1);
      send_text(second[1], "!");
      break;
    case kSocket:
      expect_text(pair[1], "to child");
      send_text(pair[1], "to parent");
      break;
    case kConnect: {
      struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
      struct sockaddr_in own = {.sin_family = AF_INET};
      socklen_t size = sizeof own;
      getsockname(tcp_listener, (struct sockaddr *)&own, &size);
      stream = connected(AF_UNIX, &name, sizeof name);
      tcp = connected(AF_INET, &own, size);
      break;
    }
    case kStream:
      expect_text(stream, "by path");
      send_text(stream, "back");
      break;
    case kTcp:
      expect_text(tcp, "by address");
      send_text(tcp, "answer");
      break;
    case kTerminal: {
      struct winsize w;
      struct termios t;
      EXPECT(!ioctl(slave, TIOCGWINSZ, &w) && w.ws_row == 33 && !tcgetattr(slave, &t) && !(t.c_lflag & (ECHO | ICANON)));
      expect_text(slave, "typed");
      send_text(slave, "shown");
      break;
    }
  }
}

static void serve_second(int order) {
  char message[16] = "";
  switch (order % 100) {
    case kPass: expect_text(second[0], "parent 1\n!"); break;
    case kFifo: expect_text(fifo, "in the fifo"); break;
    case kBlock:
      memset(read_text, 0, sizeof read_text);
      reader = start_thread(read_slow, NULL);
      writer = start_thread(write_wide, NULL);
      break;
    case kBlocked:
      pthread_join(reader, NULL);
      EXPECT_STR(read_text, "woken");
      pthread_join(writer, NULL);
      EXPECT_EQ(written, sizeof block);
      break;
    case kDatagrams:
      EXPECT(recv(grams[1], message, sizeof message, MSG_DONTWAIT) == 3 && !memcmp(message, "one", 3));
      EXPECT_EQ(recv(grams[1], message, sizeof message, MSG_DONTWAIT), 0);
      EXPECT(recv(grams[1], message, sizeof message, MSG_DONTWAIT) == 5 && !memcmp(message, "three", 5));
      break;
  }
}

static void send_all(void) {
  send_text(first[1], "parent 1\n");
  send_text(pair[0], "to child");
  send_text(stream, "by path");
  send_text(tcp, "by address");
  EXPECT(send(grams[0], "one", 3, 0) == 3 && send(grams[0], "", 0, 0) == 0 && send(grams[0], "three", 5, 0) == 5);
  int out = open(in_directory("fifo"), O_WRONLY | O_NONBLOCK);
  send_text(out, "in the fifo");
  close(out);
  ask_member(1, kBlock);
}

static void make_listeners(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  tcp_listener = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!chdir(directory) && !bind(listener, (void *)&name, sizeof name) && !listen(listener, 4));
  EXPECT(!bind(tcp_listener, (void *)&any, sizeof any) && !listen(tcp_listener, 4));
}

static void make_terminal(void) {
  struct winsize w = {.ws_row = 33, .ws_col = 77};
  struct termios t;
  master = posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT(master >= 0 && !unlockpt(master));
  slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  EXPECT(slave >= 0 && !tcgetattr(slave, &t));
  cfmakeraw(&t);
  EXPECT(!tcsetattr(slave, TCSANOW, &t) && !ioctl(slave, TIOCSWINSZ, &w));
}

static void setup(void) {
  fill(block, sizeof block, 3);
  EXPECT(!pipe(first) && !pipe(second) && !pipe(slow) && !pipe(wide));
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, grams));
  EXPECT(!mkfifo(in_directory("fifo"), 0600));
  fifo = open(in_directory("fifo"), O_RDONLY | O_NONBLOCK);
  make_listeners();
  make_terminal();
  start_member(0, serve_first);
  start_member(1, serve_second);
  close(first[0]), close(second[0]), close(second[1]), close(slow[0]), close(wide[1]), close(pair[1]), close(grams[1]);
  close(fifo), close(slave);
  ask_member(0, kConnect);
  stream = accept(listener, NULL, NULL);
  tcp = accept(tcp_listener, NULL, NULL);
  EXPECT(stream >= 0 && tcp >= 0);
  send_all();
}

static void verify(void) {
  static char back[sizeof block];
  order_member(0, next_order(kPass));
  ask_member(1, kPass);
  await_member(0);
  ask_member(0, kSocket);
  expect_text(pair[0], "to parent");
  ask_member(0, kStream);
  expect_text(stream, "back");
  ask_member(0, kTcp);
  expect_text(tcp, "answer");
  ask_member(1, kFifo);
  ask_member(1, kDatagrams);
  send_text(slow[1], "woken");
  for (size_t got = 0; got < sizeof back && !failed_once;) {
    ssize_t n = read(wide[0], back + got, sizeof back - got);
    EXPECT(n > 0);
    got += n > 0 ? n : 0;
  }
  EXPECT_EQ(first_wrong(back, sizeof back, 3), -1);
  ask_member(1, kBlocked);
  send_text(master, "typed");
  ask_member(0, kTerminal);
  expect_text(master, "shown");
  send_all();
}
