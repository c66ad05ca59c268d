// A connected netlink socket has its other half in the kernel: refused by name, the program goes on.
// mig-test: refused=MIG0040
#include <linux/netlink.h>
#include <sys/socket.h>

#include "subject.h"

static int fd;

static void setup(void) {
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
  fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  EXPECT(fd >= 0 && !bind(fd, (void *)&a, sizeof a));
}
static void verify(void) { EXPECT(fcntl(fd, F_GETFD) == 0); }
