// Threads blocked in System V messages and semaphores, and in a POSIX message queue: the calls the kernel never restarts by itself.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "lib/blocked.h"

struct message {
  long type;
  char text[8];
};

static void remember(const char *kind, int id) {
  static char lines[256];
  snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s %d\n", kind, id);
  put_file("ipc", lines);
}
static void make_queue(struct blocked *b) {
  b->number = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (b->number < 0) skip("msgget: %s", strerror(errno));
  remember("-q", b->number);
}
static void receive(struct blocked *b) {
  struct message m = {0};
  CALL(b, msgrcv(b->number, &m, sizeof m.text, 3, 0), sizeof m.text);
  if (strcmp(m.text, "hello")) fail("wrong message");
}
static void deliver(struct blocked *b) {
  struct message m = {3, "hello"};
  CALL(b, msgsnd(b->number, &m, sizeof m.text, 0), 0);
}
static void make_semaphore(struct blocked *b) {
  b->number = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  if (b->number < 0) skip("semget: %s", strerror(errno));
  remember("-s", b->number);
}
static void take(struct blocked *b) {
  struct sembuf op = {0, -1, 0};
  CALL(b, semop(b->number, &op, 1), 0);
}
static void take_in_time(struct blocked *b) {
  struct sembuf op = {0, -1, 0};
  struct timespec hour = {3600, 0};
  CALL(b, semtimedop(b->number, &op, 1, &hour), 0);
}
static void give(struct blocked *b) {
  struct sembuf op = {0, 1, 0};
  CALL(b, semop(b->number, &op, 1), 0);
}

static struct blocked table[] = {{"msgrcv", receive, deliver, make_queue}, {"semop", take, give, make_semaphore}, {"semtimedop", take_in_time, give, make_semaphore}};

static void setup(void) { blocked_start(table, 3); }
static void verify(void) { blocked_round(table, 3); }
