// A robust mutex in shared memory whose holder is killed: whoever waits for it, tries it, or comes later gets it with EOWNERDEAD, also after
// a restart in which the holder held it.
#include "members.h"

enum { kLock = 1, kWait, kTimed };

static pthread_mutex_t *mutex;

static void give_back(int error) {
  EXPECT_EQ(error, EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
}

static void serve(int order) {
  struct timespec until;
  switch (order % 100) {
    case kLock: EXPECT_EQ(pthread_mutex_lock(mutex), 0); break;
    case kWait: give_back(pthread_mutex_lock(mutex)); break;
    case kTimed:
      clock_gettime(CLOCK_REALTIME, &until);
      until.tv_sec += 8;
      give_back(pthread_mutex_timedlock(mutex, &until));
      break;
  }
}

static void start_holder(void) {
  start_member(0, serve);
  ask_member(0, kLock);
}

static void kill_holder(void) {
  EXPECT(!kill(members[0].pid, SIGKILL));
  EXPECT_EQ(waitpid(members[0].pid, NULL, 0), members[0].pid);
}

/// The member is in the kernel, for the mutex.
static int waits(int index) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/%d/syscall", members[index].pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, 63) < 0) fail("%s: %s", path, strerror(errno));
  close(fd);
  return atoi(text) == SYS_futex;
}

static void die_waited_for(int what) {
  order_member(1, next_order(what));
  WAIT_FOR(waits(1));
  kill_holder();
  await_member(1);
  start_holder();
}

static void setup(void) {
  pthread_mutexattr_t a;
  mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(mutex != MAP_FAILED);
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  EXPECT(!pthread_mutex_init(mutex, &a));
  start_member(1, serve);
  start_holder();
}

static void verify(void) {
  struct timespec past = {0, 0};
  EXPECT_EQ(pthread_mutex_trylock(mutex), EBUSY);
  EXPECT_EQ(pthread_mutex_timedlock(mutex, &past), ETIMEDOUT);
  die_waited_for(kWait);
  die_waited_for(kTimed);
  kill_holder();
  give_back(pthread_mutex_trylock(mutex));
  members[0].order = members[0].done;
  start_holder();
}
