// restless DIRECTORY: processes that are born and end in every way, all the time. Four workers start generations of helpers: each helper starts
// this program (`restless leaf DIRECTORY`) by posix_spawn, vfork or fork and exec, and ends at once, without waiting. Each leaf adds one byte to the
// file `leaves`. With the file `end` the workers stop, all orphans are reaped, and what was started must be what has come.
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
enum { kWorkers = 4 };
static char *words[] = {NULL, "leaf", NULL, NULL}, path[4200];
static const char *directory;
static _Atomic long *started;

static const char *in(const char *name) {
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

static int leaf(void) {
  int fd = open(in("leaves"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  return fd < 0 || write(fd, "x", 1) != 1;
}

static void start_leaf(int kind) {
  pid_t child;
  if (kind == 0 && posix_spawn(&child, words[0], NULL, NULL, words, environ)) abort();
  if (kind == 1 && (child = vfork()) == 0) execve(words[0], words, environ), _exit(127);
  if (kind == 2 && (child = fork()) == 0) execve(words[0], words, environ), _exit(127);
  if (kind == 3) execve(words[0], words, environ), _exit(127);
}

static void work(int n) {
  for (; access(in("end"), F_OK) && !access(directory, F_OK); ++n) {
    pid_t helper = fork();
    if (helper == 0) start_leaf(n % 4), _exit(0);
    int status;
    if (helper < 0 || waitpid(helper, &status, 0) != helper || status) abort();
    ++*started;
    usleep(4000);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  words[0] = argv[0], words[2] = argv[argc - 1], directory = argv[argc - 1];
  if (argc == 3) return leaf();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  started = mmap(NULL, sizeof *started, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < kWorkers; ++i)
    if (fork() == 0) work(i);
  for (int status; wait(&status) > 0;)
    if (status) return fprintf(stderr, "a process has ended with status %#x\n", status), 9;
  struct stat st = {0};
  stat(in("leaves"), &st);
  printf("%ld started, %ld leaves\n", (long)*started, (long)st.st_size);
  return *started != st.st_size;
}
