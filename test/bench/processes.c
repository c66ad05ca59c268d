// Micro-benchmarks of births: `processes NAME [PROGRAM]` prints how many microseconds it takes to make a process, to run PROGRAM (/bin/true) in
// it where NAME says so, and to wait for its end. The fastest of many short batches counts, which takes out what the machine does beside.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char *program[] = {"/bin/true", NULL};

static void reap(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || status) abort();
}

static void fork_exit(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  reap(child);
}
static void fork_exec(void) {
  pid_t child = fork();
  if (child == 0) execv(*program, program), _exit(127);
  reap(child);
}
static void vfork_exec(void) {
  pid_t child = vfork();
  if (child == 0) execv(*program, program), _exit(127);
  reap(child);
}
static void spawn(void) {
  pid_t child;
  if (posix_spawn(&child, *program, NULL, NULL, program, environ)) abort();
  reap(child);
}
static void shell(void) {
  if (system(*program)) abort();
}

static const struct {
  const char *name;
  void (*call)(void);
} table[] = {{"fork-exit", fork_exit}, {"fork-exec", fork_exec}, {"vfork-exec", vfork_exec}, {"posix_spawn", spawn}, {"system", shell}};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc > 2) *program = argv[2];
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
    if (argc < 2) puts(table[i].name);
    if (argc < 2 || strcmp(argv[1], table[i].name)) continue;
    double best = 1e30;
    for (int round = 0; round < 40; ++round) {
      double begin = now();
      for (int n = 0; n < 10; ++n) table[i].call();
      double took = (now() - begin) / 10;
      if (took < best) best = took;
    }
    printf("%.3f\n", best);
  }
  return 0;
}
