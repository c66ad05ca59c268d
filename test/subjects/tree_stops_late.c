// A process that stops and continues others without pause, also those that stand still already for a checkpoint: none of these
// signals is lost, and the checkpoint does not wait for whoever was stopped.
// mig-test: generations=3 timeout=120 shaken
#include <sched.h>

#include "tree.h"

enum { kStopped = 2 };
struct Shared {
  atomic_long count[kStopped];
  atomic_long rounds;
  char failure[200];
};
static struct Shared *shared;
static pid_t child[kStopped];

static void count(int i) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;; usleep(100)) atomic_fetch_add(&shared->count[i], 1);
}

static char state_of(pid_t pid) {
  char name[32], text[256] = "";
  snprintf(name, sizeof name, "/proc/%d/stat", pid);
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  char *end = n > 0 ? strrchr(text, ')') : NULL;
  return end ? end[2] : '?';
}

/// As fast as it can: most of it would else happen while nobody stands still.
static int within_limit(int i, long before) {
  for (int n = 0; n < 20000; n < 100 ? sched_yield() : usleep(200), ++n)
    if (before < 0 ? state_of(child[i]) == 'T' : atomic_load(&shared->count[i]) > before) return 1;
  return 0;
}

static void stop_others(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    for (int i = 0; i < kStopped; ++i) {
      kill(child[i], SIGSTOP);
      if (!within_limit(i, -1)) snprintf(shared->failure, sizeof shared->failure, "child %d was sent SIGSTOP and is not stopped", i);
    }
    for (int i = 0; i < kStopped; ++i) {
      long before = atomic_load(&shared->count[i]);
      kill(child[i], SIGCONT);
      if (!within_limit(i, before)) snprintf(shared->failure, sizeof shared->failure, "child %d was sent SIGCONT and does not run", i);
    }
    atomic_fetch_add(&shared->rounds, 1);
  }
}

static void setup(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < kStopped; ++i) {
    child[i] = fork();
    if (child[i] == 0) count(i);
  }
  if (fork() == 0) stop_others();
  WAIT_FOR(atomic_load(&shared->rounds) > 2);
}

static void verify(void) {
  long before = atomic_load(&shared->rounds);
  for (int i = 0; i < 60000 && atomic_load(&shared->rounds) < before + 3 && !shared->failure[0]; ++i) sleep_ms(1);
  if (shared->failure[0]) fail("%s", shared->failure);
  EXPECT(atomic_load(&shared->rounds) > before);
}
