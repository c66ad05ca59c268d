// Messages that bring descriptors (SCM_RIGHTS) and their senders' credentials.
#pragma once
#include <sys/socket.h>

#include "subject.h"

union Control {
  char bytes[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
  struct cmsghdr aligned;
};

/// Sends the text with up to 8 descriptors.
__attribute__((unused)) static void send_rights(int socket, const char *text, const int *fds, int count) {
  union Control control = {{0}};
  struct iovec v = {(void *)(uintptr_t)text, strlen(text)};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  if (count) {
    m.msg_control = &control, m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int)), c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
  }
  EXPECT_EQ(sendmsg(socket, &m, MSG_DONTWAIT), strlen(text));
}

/// Receives at most `size` bytes, which must be the text, with exactly so many descriptors. `sender` may be NULL.
__attribute__((unused)) static void expect_rights(int socket, size_t size, const char *text, int *fds, int count, struct ucred *sender) {
  char bytes[256] = "";
  union Control control = {{0}};
  struct iovec v = {bytes, size};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  int got = 0;
  EXPECT_EQ(n, strlen(text));
  EXPECT_STR(bytes, text);
  EXPECT_EQ(m.msg_flags & (MSG_CTRUNC | MSG_TRUNC), 0);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_type == SCM_CREDENTIALS && sender) memcpy(sender, CMSG_DATA(c), sizeof *sender);
    if (c->cmsg_type != SCM_RIGHTS) continue;
    got = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    if (got <= count) memcpy(fds, CMSG_DATA(c), (size_t)got * sizeof(int));
  }
  EXPECT_EQ(got, count);
}
