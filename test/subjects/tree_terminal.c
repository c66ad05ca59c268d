// A shell's way with a terminal of its own: a session on a pseudo-terminal, a job in its foreground, another in the background.
// mig-test: generations=3
#include <pty.h>
#include <sys/ioctl.h>

#include "tree.h"

static int slave;

static void look(void) {
  EXPECT_EQ(tcgetpgrp(slave), tree_known("foreground").pid);
  EXPECT_EQ(tcgetsid(slave), tree_known("shell").pid);
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY);
  EXPECT(fd >= 0);
  close(fd);
}

static void run_job(const char *name) {
  if (fork() == 0) {
    setpgid(0, 0);
    tree_member(name, look);
  }
  tree_await(name);
}

static void setup(void) {
  tree_enter("first");
  if (fork() == 0) {
    int master;
    EXPECT_EQ(openpty(&master, &slave, NULL, NULL, NULL), 0);
    setsid();
    EXPECT_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
    run_job("foreground");
    run_job("background");
    EXPECT_EQ(tcsetpgrp(slave, tree_known("foreground").pid), 0);
    tree_member("shell", look);
  }
  tree_await("shell");
}

static void verify(void) {
  tree_ask_all();
}
