// tree PROCESSES THREADS: a first process that makes so many children and threads, which all wait, and says "ready". Once all
// are killed or the first one ends, so do the others.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *wait_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  for (int n = atoi(argv[1]); n > 0; --n)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      wait_for_ever(NULL);
    }
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (int n = atoi(argv[2]); n > 0; --n) {
    pthread_t thread;
    if (pthread_create(&thread, &small, wait_for_ever, NULL)) return 1;
  }
  puts("ready");
  fflush(stdout);
  wait_for_ever(NULL);
}
