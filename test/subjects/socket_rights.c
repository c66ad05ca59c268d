// A descriptor on its way: sent over a socket pair with SCM_RIGHTS and not yet received. Carried or refused, never lost in silence.
// mig-test: generations=1 refused=MIG0040
#include <sys/socket.h>

#include "subject.h"

static int pair[2];

static void setup(void) {
  char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
  struct iovec v = {&byte, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  int file = open(in_directory("sent"), O_RDWR | O_CREAT, 0600);
  *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), &file, sizeof file);
  EXPECT_EQ(sendmsg(pair[0], &m, 0), 1);
  close(file);
}

static void verify(void) {
  if (generation) return;
  char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
  struct iovec v = {&byte, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  EXPECT_EQ(recvmsg(pair[1], &m, 0), 1);
  EXPECT(byte == 'x' && m.msg_controllen >= CMSG_LEN(sizeof(int)));
}
