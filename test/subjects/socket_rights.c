// Descriptors on their way: sent over sockets with SCM_RIGHTS and not yet received. A file that nobody else has open, a pipe with what is in
// it, a file that is open here too, a socket in whose queue there are others, and one that waits in its own queue.
#include "rights.h"

static int stream[2], packets[2], ring[2];
static int known, pipe_in;

static void send_all(void) {
  char name[32];
  int ends[2], inner[2];
  snprintf(name, sizeof name, "sent.%d", generation);
  int file = open(in_directory(name), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  EXPECT_EQ(write(file, "0123456789", 10), 10);
  EXPECT_EQ(lseek(file, 4, SEEK_SET), 4);
  EXPECT(!pipe(ends) && write(ends[1], "in the pipe", 11) == 11);
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
  send_rights(stream[0], "before", NULL, 0);
  send_rights(stream[0], "file and pipe", (int[]){file, ends[0]}, 2);
  send_rights(stream[0], "after", NULL, 0);
  send_rights(inner[0], "deep", (int[]){known, file}, 2);
  send_rights(packets[0], "", NULL, 0);
  send_rights(packets[0], "socket", &inner[1], 1);
  send_rights(packets[0], "itself", &packets[1], 1);
  send_rights(packets[0], "last", NULL, 0);
  send_rights(ring[0], "my end", &ring[1], 1);
  send_rights(ring[1], "your end", &ring[0], 1);
  for (int i = 0; i < 2; ++i) close(inner[i]);
  close(ends[0]);
  close(file);
  if (pipe_in) close(pipe_in);
  pipe_in = ends[1];
}

static int same_description(int a, int b) {
  return syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, a, b) == 0;
}

static void receive_stream(int *file) {
  char text[32] = "";
  int got[2] = {-1, -1}, none;
  expect_rights(stream[1], 4, "befo", &none, 0, NULL);
  expect_rights(stream[1], 2, "re", &none, 0, NULL);
  expect_rights(stream[1], 1, "f", got, 2, NULL);
  expect_rights(stream[1], 12, "ile and pipe", &none, 0, NULL);
  expect_rights(stream[1], 100, "after", &none, 0, NULL);
  EXPECT_EQ(lseek(got[0], 0, SEEK_CUR), 4);
  EXPECT_EQ(fcntl(got[0], F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
  EXPECT(read(got[0], text, 6) == 6 && !strcmp(text, "456789"));
  EXPECT_EQ(write(pipe_in, "!", 1), 1);
  EXPECT(read(got[1], text, 30) == 12 && !memcmp(text, "in the pipe!", 12));
  close(got[1]);
  *file = got[0];
}

static void receive_packets(int file) {
  int inner = -1, own = -1, deep[2] = {-1, -1}, none;
  expect_rights(packets[1], 100, "", &none, 0, NULL);
  expect_rights(packets[1], 100, "socket", &inner, 1, NULL);
  expect_rights(packets[1], 100, "itself", &own, 1, NULL);
  expect_rights(own, 100, "last", &none, 0, NULL);
  EXPECT(same_description(own, packets[1]));
  expect_rights(inner, 100, "deep", deep, 2, NULL);
  EXPECT(same_description(deep[0], known) && same_description(deep[1], file));
  close(own);
  close(inner);
  for (int i = 0; i < 2; ++i) close(deep[i]);
}

static void receive_ring(void) {
  int mine = -1, yours = -1;
  expect_rights(ring[1], 100, "my end", &mine, 1, NULL);
  expect_rights(ring[0], 100, "your end", &yours, 1, NULL);
  EXPECT(same_description(mine, ring[1]) && same_description(yours, ring[0]));
  close(mine);
  close(yours);
}

static void setup(void) {
  EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, stream) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, packets));
  EXPECT(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ring));
  known = open(in_directory("known"), O_RDWR | O_CREAT, 0600);
  EXPECT(known >= 0);
  send_all();
}

static void verify(void) {
  int file = -1;
  receive_stream(&file);
  receive_packets(file);
  receive_ring();
  close(file);
  send_all();
}
