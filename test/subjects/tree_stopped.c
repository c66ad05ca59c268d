// Stopped and continued children. What their parent has been told of them it is not told again, what it has not yet been told it is told
// once, and no SIGCHLD comes that the program did not cause; a stopped child stays stopped.
// mig-test: generations=3 timeout=120 shaken
#include "tree.h"

enum { kSeen, kUnseen, kContinued, kNested, kChildren };
struct Shared {
  atomic_long count[kChildren];
  atomic_int told;  ///< SIGCHLD that came
};
static struct Shared *shared;
static pid_t child[kChildren], below;

static void on_child(int signal, siginfo_t *info, void *unused) {
  (void)signal, (void)info, (void)unused;
  atomic_fetch_add(&shared->told, 1);
}

static void count(int i) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;; sleep_ms(1)) atomic_fetch_add(&shared->count[i], 1);
}

static int event(pid_t pid, int options, int *status) {
  *status = -1;
  return waitpid(pid, status, WUNTRACED | WCONTINUED | options) == pid;
}

static void await_state(pid_t pid, char state) {
  char name[32], text[256] = "";
  snprintf(name, sizeof name, "/proc/%d/stat", pid);
  for (int ms = 0; ms < 10000; ++ms, sleep_ms(1)) {
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *end = strrchr(text, ')');
    if (end && (end[2] == state || (state == 'R' && end[2] != 'T'))) return;
  }
  fail("process %d is not in state %c: %s", pid, state, text);
}

static void expect_event(int i, int kind) {
  int status;
  EXPECT_EQ(event(child[i], 0, &status), 1);
  if (kind == SIGCONT) EXPECT(WIFCONTINUED(status));
  else EXPECT_EQ(status, kind << 8 | 0x7f);
}

/// waitpid may tell of a SIGCONT before the child runs, and only then does SIGCHLD come: a time is left for it. A checkpoint just
/// then may take it for one of its own.
static void change(int i, int signal) {
  int before = atomic_load(&shared->told);
  kill(child[i], signal);
  expect_event(i, signal);
  for (int ms = 0; ms < 500 && atomic_load(&shared->told) == before; ++ms) sleep_ms(1);
}

static void stop_unseen(int i, int signal) {
  int before = atomic_load(&shared->told);
  kill(child[i], signal);
  WAIT_FOR(atomic_load(&shared->told) > before);
  siginfo_t info = {0};
  EXPECT_EQ(waitid(P_PID, (id_t)child[i], &info, (signal == SIGCONT ? WCONTINUED : WSTOPPED) | WNOWAIT), 0);
}

static void nested(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t pid = fork();
  if (pid == 0) count(kNested);
  char text[32];
  snprintf(text, sizeof text, "%d", pid);
  put_file("below", text);
  for (;; sleep_ms(1)) {
    int status;
    if (event(pid, WNOHANG, &status)) put_file("told-below", "");
  }
}

static void prepare(void) {
  stop_unseen(kUnseen, SIGTSTP);
  change(kContinued, SIGSTOP);
  stop_unseen(kContinued, SIGCONT);
}

static void setup(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &action, NULL);
  for (int i = 0; i < kChildren; ++i) {
    child[i] = fork();
    if (child[i] == 0 && i == kNested) nested();
    if (child[i] == 0) count(i);
  }
  for (int i = 0; i < kChildren; ++i) WAIT_FOR(atomic_load(&shared->count[i]) > 0);
  EXPECT_EQ(setpgid(child[kUnseen], child[kUnseen]), 0);  // SIGTSTP stops nobody in an orphaned group
  change(kSeen, SIGSTOP);
  char text[32];
  WAIT_FOR(have_file("below"));
  EXPECT(tree_read("below", text, sizeof text));
  below = atoi(text);
  kill(below, SIGSTOP);
  WAIT_FOR(have_file("told-below"));
  unlink(in_directory("told-below"));
  change(kNested, SIGSTOP);
  prepare();
  sleep_ms(20);
  atomic_store(&shared->told, 0);
}

static void expect_quiet(void) {
  int status;
  if (event(-1, WNOHANG, &status)) fail("an event that nothing caused, or for the second time: status 0x%x", status);
  EXPECT_EQ(atomic_load(&shared->told), 0);
  EXPECT(!have_file("told-below"));
}

static void expect_runs(int i, int runs) {
  long before = atomic_load(&shared->count[i]);
  if (runs) WAIT_FOR(atomic_load(&shared->count[i]) > before);
  else sleep_ms(20);
  if (!runs) EXPECT_EQ(atomic_load(&shared->count[i]), before);
}

/// Time for checkpoints without a restart.
static void wait_quietly(void) {
  for (int i = 0; i < 50 && !failed_once; ++i, sleep_ms(10)) EXPECT_EQ(atomic_load(&shared->told), 0);
}

static void verify(void) {
  wait_quietly();
  await_state(child[kSeen], 'T');
  await_state(child[kUnseen], 'T');
  await_state(child[kNested], 'T');
  await_state(below, 'T');
  expect_runs(kSeen, 0);
  expect_runs(kContinued, 1);
  expect_event(kUnseen, SIGTSTP);
  expect_event(kContinued, SIGCONT);
  expect_quiet();
  change(kSeen, SIGCONT);
  expect_runs(kSeen, 1);
  change(kSeen, SIGSTOP);
  change(kUnseen, SIGCONT);
  change(kNested, SIGCONT);
  sleep_ms(20);
  EXPECT(!have_file("told-below"));
  change(kNested, SIGSTOP);
  prepare();
  sleep_ms(20);
  atomic_store(&shared->told, 0);
}
