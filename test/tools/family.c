// family KIND DIRECTORY: starts this program once more in the way that KIND names, and ends as it ends. `family leaf DIRECTORY` is what is
// started: it writes into the file `leaf` its pid, its parent's, the signals blocked in it, and its environment, and waits for the file `end`.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char **environ;
static const char *self, *directory;
static char *words[] = {NULL, "leaf", NULL, NULL}, *none[] = {NULL}, *one[] = {"ONE=1", NULL};
static char command[9000];

static void die(const char *what) {
  perror(what);
  _exit(99);
}

static uint64_t blocked(void) {
  uint64_t mask = 0;
  syscall(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
  char line[256];
  FILE *f = fopen("/proc/thread-self/status", "re");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "SigBlk: %lx", &mask);
  if (f) fclose(f);
  return mask;
}

static int leaf(void) {
  char from[4200], to[4200], end[4200];
  snprintf(from, sizeof from, "%s/.leaf", directory), snprintf(to, sizeof to, "%s/leaf", directory), snprintf(end, sizeof end, "%s/end", directory);
  uint64_t mask = blocked();
  FILE *f = fopen(from, "we");
  if (!f) die(from);
  fprintf(f, "%d %d %lx\n", getpid(), getppid(), mask);
  for (char **e = environ; e && *e; ++e) fprintf(f, "%s\n", *e);
  if (fclose(f) || rename(from, to)) die(to);
  while (access(end, F_OK)) usleep(5000);
  return 0;
}

static int run_leaf(void *unused) { _exit(leaf()); }

static int ended(pid_t child) {
  int status = 0;
  if (child < 0) die("birth");
  while (waitpid(child, &status, __WALL) < 0)
    if (errno != EINTR) die("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

// Births.

static int by_clone(int flags) {
  static char stack[65536] __attribute__((aligned(16)));
  pid_t child = clone(run_leaf, stack + sizeof stack, flags, NULL);
  if (child < 0) die("clone");
  if (!(flags & CLONE_PARENT)) return ended(child);
  return 0;
}
static int do_fork(void) {
  pid_t child = fork();
  return child ? ended(child) : leaf();
}
static int do_clone(void) { return by_clone(SIGCHLD); }
static int do_clone_parent(void) { return by_clone(CLONE_PARENT); }
static int do_clone_vfork(void) { return by_clone(CLONE_VFORK | SIGCHLD); }
static int do_clone_files(void) { return by_clone(CLONE_FILES | CLONE_FS | SIGCHLD); }
static int do_sys_fork(void) {
  pid_t child = syscall(SYS_fork);
  return child ? ended(child) : leaf();
}
static int do_sys_clone(void) {
  pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  return child ? ended(child) : leaf();
}
static int do_sys_clone3(void) {
  struct clone_args args = {.exit_signal = SIGCHLD};
  pid_t child = syscall(SYS_clone3, &args, sizeof args);
  return child ? ended(child) : leaf();
}
static int do_daemon(void) {
  if (daemon(0, 0)) die("daemon");
  return leaf();
}
static int do_forkpty(void) {
  int terminal;
  pid_t child = forkpty(&terminal, NULL, NULL, NULL);
  return child ? ended(child) : leaf();
}

// New programs in a child.

static int do_vfork(void) {
  pid_t child = vfork();
  if (child == 0) execve(self, words, none), _exit(97);
  return ended(child);
}
static int do_sys_vfork(void) {
  pid_t child = syscall(SYS_vfork);
  if (child == 0) execve(self, words, none), _exit(97);
  return ended(child);
}
static int do_spawn(void) {
  pid_t child;
  if (posix_spawn(&child, self, NULL, NULL, words, one)) die("posix_spawn");
  return ended(child);
}
static int do_spawnp(void) {
  pid_t child;
  posix_spawnattr_t a;
  posix_spawn_file_actions_t f;
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_init(&a), posix_spawn_file_actions_init(&f);
  posix_spawnattr_setsigdefault(&a, &all), posix_spawnattr_setsigmask(&a, &all), posix_spawnattr_setpgroup(&a, 0);
  posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_RESETIDS);
  posix_spawn_file_actions_addclose(&f, 0), posix_spawn_file_actions_addopen(&f, 5, "/", O_RDONLY, 0);
  if (posix_spawnp(&child, self, &f, &a, words, none)) die("posix_spawnp");
  return ended(child);
}
static int do_system(void) { return system(command) ? 96 : 0; }
static int do_popen(void) {
  FILE *f = popen(command, "r");
  return !f || pclose(f) ? 95 : 0;
}
static int do_wordexp(void) {
  wordexp_t result;
  char text[9100];
  snprintf(text, sizeof text, "$(%s)", command);
  return wordexp(text, &result, 0);
}
static int cleared(int (*run)(void)) {
  clearenv();
  int r = run();
  return r ? r : environ && *environ ? 94 : 0;
}
static int do_cleared_system(void) { return cleared(do_system); }
static int do_cleared_popen(void) { return cleared(do_popen); }
static int do_cleared_wordexp(void) { return cleared(do_wordexp); }
static int do_close_all(void) {
  pid_t child = fork();
  if (child) return ended(child);
  if (chdir("/") || syscall(SYS_close_range, 0, ~0u, 0)) die("close_range");
  return leaf();
}
static int do_user_namespace(void) {
  pid_t child = fork();
  if (child) return ended(child);
  if (unshare(CLONE_NEWUSER)) _exit(77);
  execve(self, words, none);
  die("execve");
}

// New programs in this process.

static void *in_thread(void *unused) { execve(self, words, none), die("execve"); }
static int do_thread(void) {
  pthread_t t;
  pthread_create(&t, NULL, in_thread, NULL);
  pthread_join(t, NULL);
  return 93;
}
static int do_chain(void) {
  static char text[4300];
  snprintf(text, sizeof text, "DIRECTORY=%s", directory);
  char *argv[] = {(char *)self, "execl", (char *)directory, NULL};
  execve(self, argv, none);
  die("execve");
}
static int do_execl(void) { return execl(self, words[0], words[1], words[2], NULL); }
static int do_execle(void) { return execle(self, words[0], words[1], words[2], NULL, one); }
static int do_execlp(void) { return execlp(self, words[0], words[1], words[2], NULL); }
static int do_execv(void) { return execv(self, words); }
static int do_execvp(void) {
  char path[4200], *name = strrchr(self, '/') + 1;
  snprintf(path, sizeof path, "/nowhere:/etc/passwd:%.*s", (int)(name - 1 - self), self);
  setenv("PATH", path, 1);
  return execvp(name, words);
}
static int do_execvpe(void) { return execvpe(self, words, none); }
static int do_execve(void) { return execve(self, words, none); }
static int do_fexecve(void) { return fexecve(open(self, O_RDONLY | O_CLOEXEC), words, one); }
static int do_execveat(void) { return syscall(SYS_execveat, AT_FDCWD, self, words, none, 0); }
static int do_sys_execve(void) { return syscall(SYS_execve, self, words, none); }
static int do_preload(void) {
  char *own[] = {"ONE=1", "LD_PRELOAD=libm.so.6:libdl.so.2", "MIG_RUN=/nowhere", NULL};
  return execve(self, words, own);
}

/// Becomes itself for ever, with other threads under way.
static void *idle(void *unused) {
  for (;;) pause();
}
static int execute_again(int threads) {
  char end[4200];
  snprintf(end, sizeof end, "%s/end", directory);
  if (!access(end, F_OK)) return 0;
  pthread_t t;
  for (int i = 0; i < threads; ++i) pthread_create(&t, NULL, idle, NULL);
  words[1] = threads ? "loop-threads" : "loop";
  if (!threads) return execve(self, words, none);
  pthread_create(&t, NULL, in_thread, NULL);
  pthread_join(t, NULL);
  return 93;
}
static int do_loop(void) { return execute_again(0); }
static int do_loop_threads(void) { return execute_again(3); }

#define FAILS(call, error)                                                        \
  do {                                                                            \
    errno = 0;                                                                    \
    int result_ = (call);                                                         \
    if (result_ != -1 || errno != (error)) printf("%s: %d, %s\n", #call, result_, strerror(errno)), exit(92); \
    if (blocked()) printf("%s: blocked %lx\n", #call, blocked()), exit(91);        \
  } while (0)

static int do_failing(void) {
  char text[4200], fixed[4200];
  snprintf(text, sizeof text, "%s/broken", directory), snprintf(fixed, sizeof fixed, "%s/static", directory);
  char bad[8192] = "\177ELF\2\1\1";
  bad[16] = 2, bad[18] = 62, bad[20] = 1, bad[54] = 56;
  int fd = open(text, O_WRONLY | O_CREAT, 0755);
  if (write(fd, bad, sizeof bad) < 0 || close(fd)) die(text);
  setenv("PATH", "/etc/passwd:/usr/bin:/nowhere", 1);
  FAILS(execve("/nowhere/at/all", words, none), ENOENT);
  FAILS(execve("/", words, none), EACCES);
  FAILS(execve("/etc/passwd", words, none), EACCES);
  FAILS(execv("", words), ENOENT);
  FAILS(execvp("no-such-program-at-all", words), ENOENT);
  FAILS(execl(text, text, NULL), ENOEXEC);
  FAILS(execlp("/etc/passwd/x", "x", NULL), ENOTDIR);
  const char *volatile nowhere = (char *)1;
  FAILS(execve(nowhere, words, none), EFAULT);
  static char *many[300000];
  for (size_t i = 0; i < sizeof many / sizeof *many - 1; ++i) many[i] = "a long argument of one of many thousand words that are too many";
  FAILS(execve(self, many, none), E2BIG);
  FAILS(execve(self, words, many), E2BIG);
  return leaf();
}

static const struct {
  const char *name;
  int (*run)(void);
} kinds[] = {{"leaf", leaf},
             {"fork", do_fork},
             {"clone", do_clone},
             {"clone-parent", do_clone_parent},
             {"clone-vfork", do_clone_vfork},
             {"clone-files", do_clone_files},
             {"sys-fork", do_sys_fork},
             {"sys-clone", do_sys_clone},
             {"sys-clone3", do_sys_clone3},
             {"daemon", do_daemon},
             {"forkpty", do_forkpty},
             {"vfork", do_vfork},
             {"sys-vfork", do_sys_vfork},
             {"spawn", do_spawn},
             {"spawnp", do_spawnp},
             {"system", do_system},
             {"popen", do_popen},
             {"wordexp", do_wordexp},
             {"cleared-system", do_cleared_system},
             {"cleared-popen", do_cleared_popen},
             {"cleared-wordexp", do_cleared_wordexp},
             {"close-all", do_close_all},
             {"user-namespace", do_user_namespace},
             {"thread", do_thread},
             {"chain", do_chain},
             {"execl", do_execl},
             {"execle", do_execle},
             {"execlp", do_execlp},
             {"execv", do_execv},
             {"execvp", do_execvp},
             {"execvpe", do_execvpe},
             {"execve", do_execve},
             {"fexecve", do_fexecve},
             {"execveat", do_execveat},
             {"sys-execve", do_sys_execve},
             {"preload", do_preload},
             {"failing", do_failing},
             {"loop", do_loop},
             {"loop-threads", do_loop_threads}};

int main(int argc, char **argv) {
  if (argc < 3) {
    for (size_t i = 1; i < sizeof kinds / sizeof *kinds; ++i) puts(kinds[i].name);
    return 2;
  }
  self = argv[0], directory = argv[2];
  words[0] = argv[0], words[2] = argv[2];
  snprintf(command, sizeof command, "'%s' leaf '%s'", self, directory);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (!strcmp(argv[1], kinds[i].name)) return kinds[i].run();
  return 2;
}
