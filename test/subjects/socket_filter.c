// A classic filter on a socket (SO_ATTACH_FILTER), locked; what it had let through and nobody had read yet is there all the same.
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

// Of UDP, whose header is part of what a filter sees, only messages that begin with an `a` come through.
static struct sock_filter only_a[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 8},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 'a'},
                                      {BPF_RET | BPF_K, 0, 0, 0xffff},
                                      {BPF_RET | BPF_K, 0, 0, 0}};
static struct sock_filter nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
static int udp, ends[2];
static struct sockaddr_in name = {.sin_family = AF_INET};

static void filter(int fd, struct sock_filter* program, unsigned short length) {
  struct sock_fprog f = {length, program};
  EXPECT(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f));
}

static void setup(void) {
  socklen_t size = sizeof name;
  int on = 1;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  EXPECT(!bind(udp, (void*)&name, size) && !getsockname(udp, (void*)&name, &size));
  EXPECT(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) && send(ends[0], "before", 6, 0) == 6);
  filter(udp, only_a, 4);
  filter(ends[1], nothing, 1);
  EXPECT(!setsockopt(udp, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on));
}

static void verify(void) {
  char text[8];
  EXPECT_EQ(sendto(udp, "b", 1, 0, (void*)&name, sizeof name), 1);
  EXPECT_EQ(sendto(udp, "a", 1, 0, (void*)&name, sizeof name), 1);
  WAIT_FOR(recv(udp, text, 8, MSG_PEEK) == 1);
  EXPECT(recv(udp, text, 8, 0) == 1 && text[0] == 'a');
  EXPECT(setsockopt(udp, SOL_SOCKET, SO_DETACH_FILTER, &generation, sizeof generation) < 0 && errno == EPERM);
  if (!generation) EXPECT_EQ(recv(ends[1], text, 8, MSG_DONTWAIT), 6);
  EXPECT(send(ends[0], "x", 1, MSG_DONTWAIT) <= 1 && recv(ends[1], text, 8, MSG_DONTWAIT) < 0);
}
