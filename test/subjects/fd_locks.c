// Locks held on files: POSIX, OFD, flock. /proc/locks and a contender agree that they are there.
#include <sys/file.h>

#include "subject.h"

static int posix, ofd, whole, contender;

static int lock(int fd, int command, int type, long start, long length) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &l);
}
static int blocker(int fd, int command, long start, pid_t *pid) {
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
  EXPECT(!fcntl(fd, command, &l));
  *pid = l.l_pid;
  return l.l_type;
}

static void setup(void) {
  posix = open(in_directory("posix"), O_RDWR | O_CREAT, 0600);
  ofd = open(in_directory("ofd"), O_RDWR | O_CREAT, 0600);
  whole = open(in_directory("flock"), O_RDWR | O_CREAT, 0600);
  contender = open(in_directory("posix"), O_RDWR);
  EXPECT(!lock(posix, F_SETLK, F_WRLCK, 10, 5) && !lock(posix, F_SETLK, F_RDLCK, 100, 0));
  EXPECT(!lock(ofd, F_OFD_SETLK, F_WRLCK, 20, 5));
  EXPECT(!flock(whole, LOCK_EX));
}

static void verify(void) {
  pid_t pid = 0;
  EXPECT_EQ(blocker(contender, F_OFD_GETLK, 12, &pid), F_WRLCK);  // an OFD request sees the process's lock
  EXPECT_EQ(blocker(contender, F_OFD_GETLK, 1000, &pid), F_RDLCK);
  EXPECT_EQ(blocker(contender, F_OFD_GETLK, 50, &pid), F_UNLCK);
  int fd = open(in_directory("ofd"), O_RDWR);
  EXPECT(lock(fd, F_OFD_SETLK, F_WRLCK, 22, 1) < 0 && errno == EAGAIN);
  EXPECT(!lock(fd, F_OFD_SETLK, F_WRLCK, 30, 1));
  close(fd);
  fd = open(in_directory("flock"), O_RDWR);
  EXPECT(flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
  close(fd);
  EXPECT(!lock(ofd, F_OFD_SETLK, F_WRLCK, 20, 5));
}
