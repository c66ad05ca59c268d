// FIFOs between processes: one waits to open its end, for reading or for writing; one waits to read, one has more to write than there is
// room for. None of them sees EINTR, and every byte comes once.
#include "members.h"

enum { kOpenReader = 1, kOpenWriter, kRead, kWrite };
enum { kMost = 300000 };

static int reader = -1, writer = -1;

static void serve(int order) {
  static char bytes[kMost];
  char text[32] = "";
  int fd;
  switch (order % 100) {
    case kOpenReader:
      fd = open(in_directory("no writer"), O_RDONLY);
      EXPECT(fd >= 0 && read(fd, text, 31) == 5 && !strcmp(text, "hello"));
      EXPECT_EQ(read(fd, text, 31), 0);
      close(fd);
      break;
    case kOpenWriter:
      fd = open(in_directory("no reader"), O_WRONLY);
      EXPECT(fd >= 0 && write(fd, "there", 5) == 5);
      close(fd);
      break;
    case kRead: EXPECT(read(reader, text, 31) == 4 && !strcmp(text, "wait")); break;
    case kWrite:
      fill(bytes, kMost, 7);
      EXPECT_EQ(write(writer, bytes, kMost), kMost);
      break;
  }
}

static int is_in(int index, long call) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/%d/syscall", members[index].pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, 63) < 0) fail("%s: %s", path, strerror(errno));
  close(fd);
  return atoi(text) == call;
}

static void begin(void) {
  static const int order[] = {kOpenReader, kOpenWriter, kRead, kWrite};
  static const long call[] = {SYS_openat, SYS_openat, SYS_read, SYS_write};
  for (int i = 0; i < 4; ++i) order_member(i, next_order(order[i]));
  for (int i = 0; i < 4; ++i) WAIT_FOR(is_in(i, call[i]));
}

static void setup(void) {
  static const char *const names[] = {"no writer", "no reader", "empty", "full"};
  for (int i = 0; i < 4; ++i) EXPECT(!mkfifo(in_directory(names[i]), 0600));
  reader = open(in_directory("empty"), O_RDWR);
  writer = open(in_directory("full"), O_RDWR);
  EXPECT(reader >= 0 && writer >= 0);
  for (int i = 0; i < 4; ++i) start_member(i, serve);
  begin();
}

static void verify(void) {
  static char bytes[kMost];
  char text[32] = "";
  int fd = open(in_directory("no writer"), O_WRONLY);
  EXPECT(fd >= 0 && write(fd, "hello", 5) == 5);
  close(fd);
  await_member(0);
  fd = open(in_directory("no reader"), O_RDONLY);
  EXPECT(fd >= 0 && read(fd, text, 31) == 5 && !strcmp(text, "there"));
  close(fd);
  await_member(1);
  EXPECT_EQ(write(reader, "wait", 4), 4);
  await_member(2);
  for (int at = 0; at < kMost;) {
    ssize_t n = read(writer, bytes + at, (size_t)(kMost - at));
    EXPECT(n > 0);
    if (n <= 0) return;
    at += (int)n;
  }
  EXPECT_EQ(first_wrong(bytes, kMost, 7), -1);
  await_member(3);
  begin();
}
