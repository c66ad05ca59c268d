// Processes that have one table of descriptors (clone with CLONE_FILES, without CLONE_VM): what one opens, closes, moves or marks is so in
// the other. The child of a fork has a copy. A POSIX lock is taken by the table.
#include "members.h"

enum { kOpen = 1, kClose, kMark, kLookOpen, kLookClosed, kLock, kUnlock };

static int *numbers;  ///< shared memory: what is spoken of
static int before, table_lock;

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void lock(int type) {
  struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_len = 7};
  EXPECT(!fcntl(table_lock, F_SETLK, &l));
}

static void serve(int order) {
  switch (order % 100) {
    case kOpen:
      numbers[0] = open(in_directory("opened"), O_RDWR | O_CREAT, 0600);
      EXPECT(numbers[0] >= 0 && write(numbers[0], "written by the other", 20) == 20);
      break;
    case kClose: EXPECT(!close(numbers[0])); break;
    case kMark: EXPECT(!fcntl(numbers[0], F_SETFD, FD_CLOEXEC)); break;
    case kLookOpen: EXPECT(is_open(numbers[0])); break;
    case kLookClosed: EXPECT(!is_open(numbers[0])); break;
    case kLock: lock(F_WRLCK); break;
    case kUnlock: lock(F_UNLCK); break;
  }
}

/// Of the table's descriptors: only what the program opened.
static int count_open(void) {
  int n = 0;
  for (int fd = 0; fd < 200; ++fd) n += is_open(fd);
  return n;
}

static void setup(void) {
  numbers = (int *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  before = open(in_directory("before"), O_RDWR | O_CREAT, 0600);
  table_lock = open(in_directory("lock"), O_RDWR | O_CREAT, 0600);
  EXPECT(before >= 0 && table_lock >= 0 && dup2(before, 150) == 150);
  clone_member(0, serve, CLONE_FILES);
  clone_member(1, serve, CLONE_FILES);
  clone_member(2, serve, 0);
  ask_member(0, kLock);
  numbers[1] = count_open();
}

static int others_can_lock(void) {
  int status = -1;
  pid_t other = fork();
  if (!other) {
    lock(F_WRLCK);
    _exit(failed_once ? 0 : 1);
  }
  EXPECT_EQ(waitpid(other, &status, 0), other);
  return WEXITSTATUS(status);
}

static void verify(void) {
  char text[32] = "";
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 7};
  EXPECT_EQ(count_open(), numbers[1]);
  EXPECT_EQ(write(before, "x", 1), 1);
  EXPECT_EQ(lseek(150, 0, SEEK_CUR), generation + 1);
  ask_member(generation % 2, kOpen);
  EXPECT(is_open(numbers[0]));
  EXPECT(pread(numbers[0], text, 20, 0) == 20 && !strcmp(text, "written by the other"));
  ask_member(1 - generation % 2, kLookOpen);
  ask_member(2, kLookClosed);
  ask_member(0, kMark);
  EXPECT_EQ(fcntl(numbers[0], F_GETFD), FD_CLOEXEC);
  ask_member(1, kClose);
  EXPECT(!is_open(numbers[0]));
  numbers[0] = dup2(before, 100);
  ask_member(0, kLookOpen);
  ask_member(1, kClose);
  ask_member(0, kLookClosed);
  EXPECT(!fcntl(table_lock, F_GETLK, &l) && l.l_type == F_UNLCK);
  EXPECT(!others_can_lock());
  ask_member(1, kUnlock);
  EXPECT(others_can_lock());
  ask_member(generation % 2, kLock);
}
