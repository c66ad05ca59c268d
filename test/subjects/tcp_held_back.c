// A connection inside the program whose sender writes in two steps: the kernel holds the second one back until the first is
// acknowledged (Nagle's algorithm), which it is not for 40 ms. No answer is lost and nobody sees a reset.
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

static int client, server;
static atomic_int rounds;

static void *serve(void *unused) {
  char text[2];
  (void)unused;
  while (recv(server, text, 2, MSG_WAITALL) == 2)
    if (send(server, text, 1, MSG_NOSIGNAL) != 1 || send(server, text + 1, 1, MSG_NOSIGNAL) != 1) break;
  fail("the server's end: %s", strerror(errno));
  return NULL;
}

static void *ask(void *unused) {
  char text[2];
  (void)unused;
  for (;; ++rounds) {
    const char question[2] = {(char)rounds, 'q'};
    if (send(client, question, 1, MSG_NOSIGNAL) != 1 || send(client, question + 1, 1, MSG_NOSIGNAL) != 1) break;
    if (recv(client, text, 2, MSG_WAITALL) != 2) break;
    EXPECT(!memcmp(text, question, 2));
  }
  fail("the client's end: %s", strerror(errno));
  return NULL;
}

static void setup(void) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof where;
  pthread_t thread;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!bind(listener, (void *)&where, sizeof where) && !listen(listener, 1) && !getsockname(listener, (void *)&where, &length));
  client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT(!connect(client, (void *)&where, length));
  server = accept(listener, NULL, NULL);
  EXPECT(server >= 0 && !close(listener));
  EXPECT(!pthread_create(&thread, NULL, serve, NULL) && !pthread_create(&thread, NULL, ask, NULL));
}

static void verify(void) {
  int before = rounds;
  for (int i = 0; i < 1000 && rounds < before + 3; ++i) sleep_ms(10);
  EXPECT(rounds >= before + 3);
}
