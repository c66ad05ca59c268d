// Children born after a restart: one that the kernel gives the number of a member gets another one, which parent, child and
// the program it becomes agree about; waiting for it and signals to it find it.
#include <sched.h>
#include <sys/wait.h>

#include "subject.h"

#define THREADS 24  // more than the runner keeps others from taking over
static pid_t tids[THREADS];
static pid_t pid;
static char child_stack[65536];

static void *worker(void *number) {
  tids[(long)number] = gettid();
  for (;;) pause();
}

/// The next process of the system gets the number, if this user may say so and nobody has it.
static int aim(pid_t number) {
  char text[32];
  int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  int n = snprintf(text, sizeof text, "%d", number - 1), ok = write(fd, text, n) == n;
  close(fd);
  return ok;
}

static int ends[2];  // the child tells of itself

static int tell(void *unused) {
  pid_t numbers[] = {getpid(), gettid(), getppid(), (pid_t)syscall(SYS_getpid)};
  (void)!write(ends[1], numbers, sizeof numbers);
  return 7;
}

static pid_t by_fork(void) {
  pid_t child = fork();
  if (child == 0) _exit(tell(NULL));
  return child;
}
static pid_t by_syscall(void) {
  pid_t child = syscall(SYS_fork);
  if (child == 0) _exit(tell(NULL));
  return child;
}
static pid_t by_clone(void) { return clone(tell, child_stack + sizeof child_stack, SIGCHLD, NULL); }
static pid_t by_clone_vm(void) {
  return clone(tell, child_stack + sizeof child_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}
static pid_t by_vfork(void) {
  pid_t child = vfork();
  if (child == 0) _exit(tell(NULL));
  return child;
}
static pid_t by_exec(void) {
  char fd[16];
  snprintf(fd, sizeof fd, "%d", ends[1]);
  pid_t child = vfork();
  if (child == 0) {
    execl(arguments[0], arguments[0], "tell", fd, NULL);
    _exit(8);
  }
  return child;
}

static pid_t (*const births[])(void) = {by_fork, by_syscall, by_clone, by_clone_vm, by_vfork, by_exec};
#define BIRTHS (int)(sizeof births / sizeof *births)

static void look_at_child(int how, pid_t wanted) {
  pid_t numbers[4] = {0};
  siginfo_t info = {0};
  int status = 0, aimed = aim(wanted);
  pid_t child = births[how]();
  EXPECT_EQ(read(ends[0], numbers, sizeof numbers), sizeof numbers);
  EXPECT_EQ(numbers[0], child);
  EXPECT_EQ(numbers[1], child);
  EXPECT_EQ(numbers[2], pid);
  EXPECT_EQ(numbers[3], child);
  for (int i = 0; i < THREADS; ++i) EXPECT(child != tids[i]);
  EXPECT(child != pid && (!aimed || child != wanted));
  EXPECT_EQ(kill(child, 0), 0);
  EXPECT_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_pid, child);
  EXPECT_EQ(info.si_status, 7);
  EXPECT_EQ(how % 2 ? waitpid(child, &status, 0) : syscall(SYS_wait4, -1, &status, 0, NULL), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT(kill(child, 0) < 0 && errno == ESRCH);
}

static void *wait_for_nobody(void *child) { return waitpid(*(pid_t *)child, NULL, 0) < 0 ? NULL : child; }

static void cancel_a_wait(void) {
  void *result = NULL;
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  pthread_t thread = start_thread(wait_for_nobody, &child);
  sleep_ms(5);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  EXPECT(result == PTHREAD_CANCELED);
  EXPECT_EQ(kill(child, SIGKILL), 0);
  EXPECT_EQ(waitpid(child, NULL, 0), child);
}

static void setup(void) {
  if (!strcmp(arguments[1], "tell")) {
    ends[1] = atoi(arguments[2]);
    _exit(tell(NULL));
  }
  pid = getpid();
  EXPECT_EQ(pipe(ends), 0);
  for (long i = 0; i < THREADS; ++i) start_thread(worker, (void *)i);
  for (int i = 0; i < THREADS; ++i) WAIT_FOR(tids[i]);
}

static void verify(void) {
  for (int how = 0; how < BIRTHS; ++how) look_at_child(how, tids[THREADS - 1 - how]);
  look_at_child(0, tids[THREADS - 1]);
  cancel_a_wait();
  for (int i = 0; i < THREADS; ++i) EXPECT_EQ(syscall(SYS_tgkill, pid, tids[i], 0), 0);
}
