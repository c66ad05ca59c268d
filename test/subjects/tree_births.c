// Processes that are born, become other programs and end all the time: by fork, vfork, posix_spawn and clone, and as orphans whose parent
// ends at once after fork. Each chain of such orphans counts its end, once: none is lost and none runs twice.
// mig-test: generations=3 timeout=120 shaken
#include <sched.h>
#include <spawn.h>

#include "tree.h"

enum { kWorkers = 3, kRounds = 60, kKinds = 6, kDeep = 5 };
struct Shared {
  atomic_long begun, ended, wrong;
  atomic_long rounds[kWorkers];
  atomic_int pause, paused[kWorkers];
};
static struct Shared *shared;
static char *const true_arguments[] = {"true", NULL};
extern char **environ;

static void expect_end(int kind, pid_t child, int code) {
  int status = -1;
  pid_t got = waitpid(child, &status, 0);
  if (child > 0 && got == child && WIFEXITED(status) && WEXITSTATUS(status) == code) return;
  fail("child %d of kind %d: waitpid told %d, status 0x%x (errno: %s)", child, kind, got, status, strerror(errno));
}

/// Each process of the chain ends as soon as it has a child.
static void chain(void) {
  for (int i = 0; i < kDeep; ++i) {
    pid_t child = fork();
    if (child < 0) atomic_fetch_add(&shared->wrong, 1);
    if (child) _exit(7);
  }
  atomic_fetch_add(&shared->ended, 1);
  _exit(0);
}

static int end_with(void *code) {
  _exit((int)(long)code);
}

static void bear(int kind) {
  static char stack[64 << 10] __attribute__((aligned(16)));
  pid_t child = -1;
  int code = 0;
  switch (kind) {
    case 0: child = fork(), code = 3; break;
    case 1: child = vfork(); break;
    case 2: EXPECT_EQ(posix_spawn(&child, "/bin/true", NULL, NULL, true_arguments, environ), 0); break;
    case 3: child = fork(); break;
    case 4: child = clone(end_with, stack + sizeof stack, SIGCHLD, (void *)9L), code = 9; break;
    default: atomic_fetch_add(&shared->begun, 1), child = fork(), code = 7; break;
  }
  if (child == 0) {
    if (kind == 1 || kind == 3) execv("/bin/true", true_arguments);
    if (kind == 5) chain();
    _exit(code);
  }
  expect_end(kind, child, code);
}

static void work(int index) {
  for (int n = 0; !failed_once; ++n) {
    if (have_file("end") || access(directory, F_OK)) _exit(0);
    while (atomic_load(&shared->pause)) {
      atomic_store(&shared->paused[index], 1);
      if (access(directory, F_OK)) _exit(0);
      sleep_ms(1);
    }
    atomic_store(&shared->paused[index], 0);
    bear(n % kKinds);
    atomic_fetch_add(&shared->rounds[index], 1);
    sleep_ms(5);
  }
  put_file("wrong", failure);
  _exit(1);
}

static pid_t workers[kWorkers];

/// The orphans come to the first process.
static void reap(void) {
  for (int pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
    for (int i = 0; i < kWorkers; ++i)
      if (pid == workers[i]) {
        char text[1024] = "without a word";
        tree_read("wrong", text, sizeof text);
        fail("worker %d has ended: %s", i, text);
      }
}

static void *reap_for_ever(void *unused) {
  for (;; sleep_ms(1)) reap();
  return unused;
}

static void setup(void) {
  EXPECT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < kWorkers; ++i) {
    workers[i] = fork();
    if (workers[i] == 0) work(i);
  }
  start_thread(reap_for_ever, NULL);
}

static int all_paused(void) {
  for (int i = 0; i < kWorkers; ++i)
    if (!atomic_load(&shared->paused[i])) return 0;
  return 1;
}

static void verify(void) {
  for (int i = 0; i < kWorkers; ++i) {
    long goal = atomic_load(&shared->rounds[i]) + kRounds;
    for (int ms = 0; ms < 60000 && atomic_load(&shared->rounds[i]) < goal && !failed_once; ++ms) sleep_ms(1);
    EXPECT(atomic_load(&shared->rounds[i]) >= goal);
  }
  atomic_store(&shared->pause, 1);
  WAIT_FOR(all_paused());
  WAIT_FOR(atomic_load(&shared->begun) == atomic_load(&shared->ended));
  sleep_ms(20);
  EXPECT_EQ(atomic_load(&shared->begun), atomic_load(&shared->ended));
  EXPECT_EQ(atomic_load(&shared->wrong), 0);
  atomic_store(&shared->paused[0], 0), atomic_store(&shared->pause, 0);
}
