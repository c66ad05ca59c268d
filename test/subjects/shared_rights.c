// Descriptors under way between processes, and who sent them: what waits for one process was sent by others in turns (SO_PASSCRED), with
// files and pidfds that nobody has open any more.
#include "members.h"
#include "rights.h"

enum { kSend = 1, kSendAgain, kReceive };

static int pair[2], stream[2];

static void send_file(const char *text) {
  char name[64];
  snprintf(name, sizeof name, "%s of %d", text, getpid());
  int fds[2] = {open(in_directory(name), O_RDWR | O_CREAT | O_TRUNC, 0600), (int)syscall(SYS_pidfd_open, getpid(), 0)};
  EXPECT(fds[0] >= 0 && fds[1] >= 0 && write(fds[0], text, strlen(text)) > 0);
  send_rights(pair[0], text, fds, 2);
  send_rights(stream[0], text, fds, 1);
  for (int i = 0; i < 2; ++i) close(fds[i]);
}

static void expect_from(const char *text, int member) {
  char bytes[32] = "";
  int got[2] = {-1, -1}, again = -1;
  struct ucred sender = {0};
  expect_rights(pair[1], 100, text, got, 2, &sender);
  EXPECT_EQ(sender.pid, members[member].pid);
  EXPECT_EQ(sender.uid, getuid());
  expect_rights(stream[1], 100, text, &again, 1, &sender);
  EXPECT_EQ(sender.pid, members[member].pid);
  EXPECT(syscall(SYS_kcmp, getpid(), getpid(), 0, got[0], again) == 0);
  EXPECT(pread(got[0], bytes, 30, 0) == (ssize_t)strlen(text) && !strcmp(bytes, text));
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, got[1], 0, NULL, 0), 0);
  close(got[0]);
  close(got[1]);
  close(again);
}

static void serve(int order) {
  switch (order % 100) {
    case kSend: send_file("first"); break;
    case kSendAgain: send_file("second"); break;
    case kReceive:
      expect_from("first", 0);
      expect_from("second", 1);
      expect_from("second", 0);
      expect_from("first", 1);
      break;
  }
}

static void send_all(void) {
  ask_member(0, kSend);
  ask_member(1, kSendAgain);
  ask_member(0, kSendAgain);
  ask_member(1, kSend);
}

static void setup(void) {
  int on = 1;
  EXPECT(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) && !socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
  EXPECT(!setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  EXPECT(!setsockopt(stream[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  for (int i = 0; i < 3; ++i) start_member(i, serve);
  for (int i = 0; i < 2; ++i) {
    close(pair[i]);
    close(stream[i]);
  }
  send_all();
}

static void verify(void) {
  ask_member(2, kReceive);
  send_all();
}
