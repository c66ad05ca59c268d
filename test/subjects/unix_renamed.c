// A unix socket whose file was renamed since it was bound, as servers do to put it in the place of an older one: it is found where it was.
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

static int listener;
static struct sockaddr_un made = {.sun_family = AF_UNIX}, place = {.sun_family = AF_UNIX};

static void setup(void) {
  snprintf(made.sun_path, sizeof made.sun_path, "%.80s/new", directory);
  snprintf(place.sun_path, sizeof place.sun_path, "%.80s/place", directory);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT(!bind(listener, (void*)&made, sizeof made) && !chmod(made.sun_path, 0700) && !listen(listener, 4));
  EXPECT(!rename(made.sun_path, place.sun_path));
}

static void verify(void) {
  struct sockaddr_un name = {0};
  struct stat st;
  socklen_t size = sizeof name;
  int client = socket(AF_UNIX, SOCK_STREAM, 0), served;
  EXPECT(!connect(client, (void*)&place, sizeof place));
  served = accept(listener, NULL, NULL);
  EXPECT(served >= 0 && !close(served) && !close(client));
  EXPECT(access(made.sun_path, F_OK) && !stat(place.sun_path, &st) && (st.st_mode & 0777) == 0700);
  EXPECT(!getsockname(listener, (void*)&name, &size));
  EXPECT_STR(name.sun_path, made.sun_path);
}
