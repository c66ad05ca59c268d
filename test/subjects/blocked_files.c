// Threads blocked without a timeout on pipes, sockets, FIFOs, event descriptors and locks of files: none sees EINTR, each wakes up once.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "lib/blocked.h"

static char byte;
static void write_one(struct blocked *b) { CALL(b, write(b->fd[1], "x", 1), 1); }
static void take_one(struct blocked *b) { CALL(b, read(b->fd[0], &byte, 1), 1); }
static void make_pipe(struct blocked *b) { CALL(b, pipe(b->fd), 0); }
static void make_pair(struct blocked *b) { CALL(b, socketpair(AF_UNIX, SOCK_STREAM, 0, b->fd), 0); }

static void read_pipe(struct blocked *b) { CALL(b, read(b->fd[0], &byte, 1), 1); }
static void readv_pipe(struct blocked *b) {
  struct iovec v[2] = {{&byte, 1}, {&byte, 1}};
  CALL(b, readv(b->fd[0], v, 2), 1);
}
static void make_full_pipe(struct blocked *b) {
  char page[4096] = "";
  make_pipe(b);
  CALL(b, fcntl(b->fd[1], F_SETPIPE_SZ, 4096), 4096);
  CALL(b, write(b->fd[1], page, 4096), 4096);
}
static void write_pipe(struct blocked *b) {
  char page[4096] = "";
  CALL(b, write(b->fd[1], page, 4096), 4096);
}
static void drain_pipe(struct blocked *b) {
  char page[4096];
  CALL(b, read(b->fd[0], page, 4096), 4096);
}
static void poll_pipe(struct blocked *b) {
  struct pollfd p = {b->fd[0], POLLIN, 0};
  CALL(b, poll(&p, 1, -1), 1);
  take_one(b);
}
static void ppoll_pipe(struct blocked *b) {
  struct pollfd p = {b->fd[0], POLLIN, 0};
  sigset_t none;
  sigemptyset(&none);
  sigaddset(&none, SIGUSR1);
  CALL(b, ppoll(&p, 1, NULL, &none), 1);
  take_one(b);
}
static void select_pipe(struct blocked *b) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(b->fd[0], &set);
  CALL(b, select(b->fd[0] + 1, &set, NULL, NULL, NULL), 1);
  take_one(b);
}
static void pselect_pipe(struct blocked *b) {
  fd_set set;
  sigset_t none;
  sigemptyset(&none);
  sigaddset(&none, SIGUSR1);
  FD_ZERO(&set);
  FD_SET(b->fd[0], &set);
  CALL(b, pselect(b->fd[0] + 1, &set, NULL, NULL, NULL, &none), 1);
  take_one(b);
}
static void make_epoll(struct blocked *b) {
  make_pipe(b);
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef};
  b->number = epoll_create1(0);
  CALL(b, epoll_ctl(b->number, EPOLL_CTL_ADD, b->fd[0], &e), 0);
}
static void epoll_pipe(struct blocked *b) {
  struct epoll_event e = {0};
  CALL(b, epoll_wait(b->number, &e, 1, -1), 1);
  if (e.data.u64 != 0x123456789abcdef) fail("%s: wrong data", b->name);
  take_one(b);
}
static void epoll_pwait_pipe(struct blocked *b) {
  struct epoll_event e = {0};
  sigset_t none;
  sigemptyset(&none);
  sigaddset(&none, SIGUSR1);
  CALL(b, epoll_pwait(b->number, &e, 1, -1, &none), 1);
  take_one(b);
}
static void recv_socket(struct blocked *b) { CALL(b, recv(b->fd[0], &byte, 1, 0), 1); }
static void recv_waitall(struct blocked *b) {
  char two[2];
  CALL(b, recv(b->fd[0], two, 2, MSG_WAITALL), 2);
}
static void send_two(struct blocked *b) {
  write_one(b);
  sleep_ms(20);
  write_one(b);
}
static void recvmsg_socket(struct blocked *b) {
  struct iovec v = {&byte, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  CALL(b, recvmsg(b->fd[0], &m, 0), 1);
}
static void make_listener(struct blocked *b) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof a.sun_path, "%.80s/l", directory);
  b->fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL(b, bind(b->fd[0], (void *)&a, sizeof a), 0);
  CALL(b, listen(b->fd[0], 1), 0);
}
static void accept_socket(struct blocked *b) {
  int fd = accept(b->fd[0], NULL, NULL);
  if (fd < 0) fail("%s: %s", b->name, strerror(errno));
  close(fd);
}
static void connect_listener(struct blocked *b) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof a.sun_path, "%.80s/l", directory);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL(b, connect(fd, (void *)&a, sizeof a), 0);
  char end;
  CALL(b, read(fd, &end, 1), 0);
  close(fd);
}
static void make_eventfd(struct blocked *b) { b->fd[0] = b->fd[1] = eventfd(0, 0); }
static void read_eventfd(struct blocked *b) {
  uint64_t n;
  CALL(b, read(b->fd[0], &n, 8), 8);
}
static void write_eventfd(struct blocked *b) {
  uint64_t n = 1;
  CALL(b, write(b->fd[1], &n, 8), 8);
}
static void make_timerfd(struct blocked *b) { b->fd[0] = timerfd_create(CLOCK_MONOTONIC, 0); }
static void arm_timerfd(struct blocked *b) {
  struct itimerspec t = {.it_value = {0, 1000000}};
  CALL(b, timerfd_settime(b->fd[0], 0, &t, NULL), 0);
}
static void make_signalfd(struct blocked *b) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGUSR1);
  b->fd[0] = signalfd(-1, &s, 0);
}
static void read_signalfd(struct blocked *b) {
  struct signalfd_siginfo i;
  CALL(b, read(b->fd[0], &i, sizeof i), sizeof i);
}
static void send_usr1(struct blocked *b) { CALL(b, kill(getpid(), SIGUSR1), 0); }
static void make_inotify(struct blocked *b) {
  mkdir(in_directory("watched"), 0700);
  b->fd[0] = inotify_init1(0);
  b->number = inotify_add_watch(b->fd[0], in_directory("watched"), IN_CREATE);
}
static void read_inotify(struct blocked *b) {
  char event[4096];
  if (read(b->fd[0], event, sizeof event) <= 0) fail("%s: %s", b->name, strerror(errno));
}
static void touch_watched(struct blocked *b) {
  char name[64];
  snprintf(name, sizeof name, "watched/%d", generation);
  close(open(in_directory(name), O_CREAT | O_WRONLY, 0600));
}
static void make_locked(struct blocked *b) {
  b->fd[0] = open(in_directory(b->name), O_RDWR | O_CREAT, 0600);
  b->fd[1] = open(in_directory(b->name), O_RDWR | O_CREAT, 0600);
}
// Locked through one description, waited for through the other.
static void block_flock(struct blocked *b) {
  CALL(b, flock(b->fd[1], LOCK_EX), 0);
  CALL(b, flock(b->fd[0], LOCK_EX), 0);
  CALL(b, flock(b->fd[0], LOCK_UN), 0);
}
static void release_flock(struct blocked *b) { CALL(b, flock(b->fd[1], LOCK_UN), 0); }
static void ofd(struct blocked *b, int fd, int command, int type) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  CALL(b, fcntl(fd, command, &l), 0);
}
static void block_ofd(struct blocked *b) {
  ofd(b, b->fd[1], F_OFD_SETLK, F_WRLCK);
  ofd(b, b->fd[0], F_OFD_SETLKW, F_WRLCK);
  ofd(b, b->fd[0], F_OFD_SETLK, F_UNLCK);
}
static void release_ofd(struct blocked *b) { ofd(b, b->fd[1], F_OFD_SETLK, F_UNLCK); }
static void make_fifo(struct blocked *b) { CALL(b, mkfifo(in_directory("fifo"), 0600), 0); }
static void open_fifo(struct blocked *b) {
  int fd = open(in_directory("fifo"), O_RDONLY);
  if (fd < 0) fail("%s: %s", b->name, strerror(errno));
  CALL(b, read(fd, &byte, 1), 1);
  CALL(b, read(fd, &byte, 1), 0);
  close(fd);
}
static void open_other_end(struct blocked *b) {
  int fd = open(in_directory("fifo"), O_WRONLY);
  CALL(b, write(fd, "x", 1), 1);
  close(fd);
}

static struct blocked table[] = {
    {"read of a pipe", read_pipe, write_one, make_pipe},
    {"readv of a pipe", readv_pipe, write_one, make_pipe},
    {"write to a full pipe", write_pipe, drain_pipe, make_full_pipe},
    {"poll", poll_pipe, write_one, make_pipe},
    {"ppoll", ppoll_pipe, write_one, make_pipe},
    {"select", select_pipe, write_one, make_pipe},
    {"pselect", pselect_pipe, write_one, make_pipe},
    {"epoll_wait", epoll_pipe, write_one, make_epoll},
    {"epoll_pwait", epoll_pwait_pipe, write_one, make_epoll},
    {"read of a socket", read_pipe, write_one, make_pair},
    {"recv", recv_socket, write_one, make_pair},
    {"recv MSG_WAITALL", recv_waitall, send_two, make_pair},
    {"recvmsg", recvmsg_socket, write_one, make_pair},
    {"accept", accept_socket, connect_listener, make_listener},
    {"eventfd", read_eventfd, write_eventfd, make_eventfd},
    {"timerfd", read_eventfd, arm_timerfd, make_timerfd},
    {"signalfd", read_signalfd, send_usr1, make_signalfd},
    {"inotify", read_inotify, touch_watched, make_inotify},
    {"flock", block_flock, release_flock, make_locked},
    {"OFD lock", block_ofd, release_ofd, make_locked},
    {"open of a FIFO", open_fifo, open_other_end, make_fifo},
};
enum { kCount = sizeof table / sizeof *table };

static void setup(void) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  blocked_start(table, kCount);
}

static void verify(void) { blocked_round(table, kCount); }
