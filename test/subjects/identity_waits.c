// Waits for children that last through a restart: by every call, for one child or a group; and what SIGCHLD tells of a
// child that ends afterwards.
#include <sys/wait.h>

#include "subject.h"

enum { kWaitpid, kWaitid, kWait4, kGroup, kWays };

static struct wait {
  pthread_t thread;
  pid_t child;
  long answer;
  int status;
  siginfo_t info;
  atomic_int waiting, done;
} waits[kWays];
static pid_t of_signal[64];
static atomic_int signals;

static void on_child(int n, siginfo_t* i, void* c) {
  if (i->si_code == CLD_EXITED) of_signal[signals++ % 64] = i->si_pid;
}

static const char* turn(const char* what, int way) {
  static char names[4][32];
  static atomic_int next;
  char* name = names[next++ % 4];
  snprintf(name, 32, "%s.%d.%d", what, way, generation);
  return name;
}

static pid_t start_child(int way) {
  pid_t child = fork();
  if (child) return child;
  const char* name = turn("end", way);
  while (!have_file(name) && access(directory, F_OK) == 0) sleep_ms(2);
  _exit(20 + way);
}

static void* wait_there(void* number) {
  int way = (int)(long)number;
  struct wait* w = &waits[way];
  w->waiting = gettid();
  switch (way) {
    case kWaitpid: w->answer = waitpid(w->child, &w->status, 0); break;
    case kWaitid: w->answer = waitid(P_PID, w->child, &w->info, WEXITED); break;
    case kWait4: w->answer = syscall(SYS_wait4, w->child, &w->status, 0, NULL); break;
    case kGroup: w->answer = waitpid(-w->child, &w->status, 0); break;
  }
  w->done = 1;
  return NULL;
}

static int is_in_wait(pid_t tid) {
  int number = call_of(tid);
  return number == SYS_wait4 || number == SYS_waitid;
}

static void begin(void) {
  for (int way = 0; way < kWays; ++way) {
    struct wait* w = &waits[way];
    w->waiting = 0;
    w->done = 0;
    w->answer = w->status = 0;
    w->child = start_child(way);
    if (way == kGroup) EXPECT_EQ(setpgid(w->child, w->child), 0);
    w->thread = start_thread(wait_there, (void*)(long)way);
    WAIT_FOR(is_in_wait(w->waiting));
  }
}

static void setup(void) {
  struct sigaction a = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &a, NULL);
  generation = -1;
  begin();
  generation = 0;
}

static int was_told_of(pid_t child) {
  for (int i = 0; i < 64; ++i)
    if (of_signal[i] == child) return 1;
  return 0;
}

static void end_wait(int way) {
  struct wait* w = &waits[way];
  EXPECT(!w->done);
  EXPECT_EQ(kill(w->child, 0), 0);
  put_file(turn("end", way), "");
  WAIT_FOR(w->done);
  pthread_join(w->thread, NULL);
  if (way == kWaitid) {
    EXPECT(w->answer == 0 && w->info.si_pid == w->child && w->info.si_status == 20 + way);
  } else {
    EXPECT(WIFEXITED(w->status));
    EXPECT_EQ(WEXITSTATUS(w->status), 20 + way);
    EXPECT_EQ(w->answer, w->child);
  }
  WAIT_FOR(was_told_of(w->child));
  EXPECT(kill(w->child, 0) < 0 && errno == ESRCH);
}

static void verify(void) {
  --generation;  // that in which the waits began
  for (int way = 0; way < kWays; ++way) end_wait(way);
  ++generation;
  begin();
}
