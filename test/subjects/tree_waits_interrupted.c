// A handler that interrupts a wait for a child and itself waits through a restart: the wait goes on behind it, for the same child. One
// handler on the thread's stack, one on an alternate stack, and one within another.
// mig-test: generations=3
#include <sys/wait.h>

#include "tree.h"

enum { kPlain, kAlternate, kNested, kWays };
static struct waiter {
  pthread_t thread;
  pid_t child, inner;
  long answer, inner_answer;
  int status;
  atomic_int tid, inside, done;
} waiters[kWays];
static __thread struct waiter* own;
static int turn_number;

static const char* turn(const char* what, long way) {
  static __thread char name[48];
  snprintf(name, sizeof name, "%s.%ld.%d", what, way, turn_number);
  return name;
}

static pid_t start_child(const char* file, int code) {
  char name[48];
  strcpy(name, file);
  pid_t child = fork();
  if (child) return child;
  tree_wait(name);
  _exit(code);
}

static void on_signal(int n) {
  int way = (int)(own - waiters), error = errno;
  own->inside = 1;
  if (way == kNested) own->inner_answer = waitpid(own->inner, NULL, 0);
  else
    while (!have_file(turn("leave", way)) && access(directory, F_OK) == 0) sleep_ms(2);
  errno = error;
}

/// Only for the wait that is interrupted in turn.
static void on_second(int n) {
  int error = errno;
  own->inside = 2;
  while (!have_file(turn("leave", kNested)) && access(directory, F_OK) == 0) sleep_ms(2);
  errno = error;
}

static void* wait_there(void* way) {
  static char stacks[kWays][256 << 10];
  own = &waiters[(long)way];
  stack_t stack = {.ss_sp = stacks[(long)way], .ss_size = sizeof stacks[0]};
  EXPECT_EQ(sigaltstack(&stack, NULL), 0);
  own->tid = gettid();
  own->answer = waitpid(own->child, &own->status, 0);
  own->done = 1;
  return NULL;
}

static int is_in_wait(pid_t tid) {
  return call_of(tid) == SYS_wait4;
}

static void begin(void) {
  ++turn_number;
  for (long way = 0; way < kWays; ++way) {
    struct waiter* w = &waiters[way];
    w->tid = w->inside = w->done = 0;
    w->answer = w->inner_answer = w->status = 0;
    w->child = start_child(turn("end", way), 30 + (int)way);
    w->inner = way == kNested ? start_child(turn("inner", way), 1) : 0;
    w->thread = start_thread(wait_there, (void*)way);
    WAIT_FOR(is_in_wait(w->tid));
    pthread_kill(w->thread, way == kAlternate ? SIGUSR2 : SIGUSR1);
    WAIT_FOR(w->inside == 1);
  }
  WAIT_FOR(is_in_wait(waiters[kNested].tid));
  pthread_kill(waiters[kNested].thread, SIGWINCH);
  WAIT_FOR(waiters[kNested].inside == 2);
}

static void setup(void) {
  struct sigaction plain = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  struct sigaction alternate = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  struct sigaction second = {.sa_handler = on_second, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigaction(SIGUSR1, &plain, NULL);
  sigaction(SIGUSR2, &alternate, NULL);
  sigaction(SIGWINCH, &second, NULL);
  begin();
}

static void end_wait(long way) {
  struct waiter* w = &waiters[way];
  EXPECT(!w->done);
  put_file(turn("leave", way), "");
  WAIT_FOR(w->done || is_in_wait(w->tid));
  if (way == kNested) {
    put_file(turn("inner", way), "");
    WAIT_FOR(w->done || (w->inner_answer && is_in_wait(w->tid)));
    EXPECT_EQ(w->inner_answer, w->inner);
  }
  if (w->done) fail("way %ld: told %ld of %d", way, w->answer, w->child);
  put_file(turn("end", way), "");
  WAIT_FOR(w->done);
  pthread_join(w->thread, NULL);
  EXPECT_EQ(w->answer, w->child);
  EXPECT(WIFEXITED(w->status) && WEXITSTATUS(w->status) == 30 + way);
}

static void verify(void) {
  for (long way = 0; way < kWays; ++way) end_wait(way);
  begin();
}
