// A FIFO of the file system, open for both: contents and modes.
#include "subject.h"

static int reader, writer;

static void setup(void) {
  EXPECT(!mkfifo(in_directory("fifo"), 0600));
  reader = open(in_directory("fifo"), O_RDONLY | O_NONBLOCK);
  writer = open(in_directory("fifo"), O_WRONLY);
  EXPECT(reader >= 0 && writer >= 0);
  EXPECT_EQ(write(writer, "through a fifo", 14), 14);
}

static void verify(void) {
  char text[100] = "";
  EXPECT_EQ(fcntl(reader, F_GETFL) & ~0100000, O_NONBLOCK);
  EXPECT_EQ(fcntl(writer, F_GETFL) & ~0100000, O_WRONLY);
  EXPECT_EQ(read(reader, text, 100), 14);
  EXPECT(!memcmp(text, "through a fifo", 14));
  EXPECT(read(reader, text, 100) < 0 && errno == EAGAIN);
  EXPECT_EQ(write(writer, "through a fifo", 14), 14);
}
