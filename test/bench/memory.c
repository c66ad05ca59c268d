// memory PATTERN MIB: holds memory of a pattern (random, zero, half: every second page, mappings: MIB times 1000 small
// mappings) and notes each time that it stood still: a line on stdout with CLOCK_REALTIME and the length of the gap, in
// seconds. scripts/bench reads from it how long a checkpoint stopped it and when a restarted one took its first step.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void noise(uint64_t *p, size_t bytes) {
  static uint64_t x = 88172645463325252;
  for (size_t i = 0; i < bytes / 8; ++i) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    p[i] = x;
  }
}

static void make(const char *pattern, size_t size) {
  if (!strcmp(pattern, "mappings")) {
    for (size_t i = 0; i < size >> 20; ++i)
      for (int n = 0; n < 1000; ++n) {
        char *p = mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) abort();
        if (n % 2 == 0) noise((uint64_t *)p, 4096);
      }
    return;
  }
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  if (!strcmp(pattern, "zero")) memset(p, 0, size);
  if (!strcmp(pattern, "random")) noise((uint64_t *)p, size);
  if (!strcmp(pattern, "half"))
    for (size_t at = 0; at < size; at += 8192) noise((uint64_t *)(p + at), 4096);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  make(argv[1], (size_t)atol(argv[2]) << 20);
  printf("ready %.6f\n", now());
  fflush(stdout);
  for (double last = now();;) {
    double t = now();
    if (t - last > 0.0008) {
      printf("gap %.6f %.6f\n", t, t - last);
      fflush(stdout);
      t = now();
    }
    last = t;
  }
}
