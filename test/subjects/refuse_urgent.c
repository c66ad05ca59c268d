// Urgent data that waits in a connection (MSG_OOB) has no place in the order of its bytes: refused by name until it is read.
// mig-test: refused=MIG0040
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

static int ends[2];

static void setup(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  char byte;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!bind(listener, (void*)&a, size) && !listen(listener, 1) && !getsockname(listener, (void*)&a, &size));
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(ends[0], (void*)&a, size));
  ends[1] = accept(listener, NULL, NULL);
  EXPECT(send(ends[0], "ab", 2, 0) == 2 && send(ends[0], "!", 1, MSG_OOB) == 1);
  WAIT_FOR(recv(ends[1], &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1);
}

static void verify(void) {
  char byte;
  EXPECT(recv(ends[1], &byte, 1, MSG_OOB | MSG_PEEK) == 1 && byte == '!');
}
