// A pseudo-terminal whose both sides the program holds: settings, size, and that each side hears the other.
#include <sys/ioctl.h>
#include <termios.h>

#include "subject.h"

static int master, slave;

static void setup(void) {
  struct termios t;
  struct winsize size = {31, 97, 0, 0};
  master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) skip("posix_openpt: %s", strerror(errno));
  EXPECT(!grantpt(master) && !unlockpt(master));
  slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  EXPECT(slave >= 0 && !tcgetattr(slave, &t));
  cfmakeraw(&t);
  t.c_cc[VMIN] = 3;
  EXPECT(!tcsetattr(slave, TCSANOW, &t) && !ioctl(master, TIOCSWINSZ, &size));
}

static void verify(void) {
  struct termios t;
  struct winsize size;
  char text[16] = "";
  EXPECT(isatty(slave) && !tcgetattr(slave, &t));
  EXPECT(!(t.c_lflag & (ICANON | ECHO)) && t.c_cc[VMIN] == 3);
  EXPECT(!ioctl(slave, TIOCGWINSZ, &size) && size.ws_row == 31 && size.ws_col == 97);
  EXPECT_EQ(write(master, "keys", 4), 4);
  EXPECT_EQ(read(slave, text, 16), 4);
  EXPECT_EQ(write(slave, "screen", 6), 6);
  EXPECT_EQ(read(master, text, 16), 6);
  EXPECT_STR(text, "screen");
  EXPECT_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
}
