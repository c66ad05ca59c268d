// large DIRECTORY PROCESSES MEGABYTES: a tree of so many processes, each with so much memory that is not zero. Each looks at it again and again and
// counts in the file count.INDEX; while there is a file refuse.INDEX it has something that cannot be saved. Ends with the file `end` or its directory.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>

static const char *directory;

static int have(const char *name, int index) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s.%d", directory, name, index);
  return !access(path, F_OK);
}

static void count(int index, long n) {
  char from[4200], to[4200];
  snprintf(from, sizeof from, "%s/.count.%d", directory, index), snprintf(to, sizeof to, "%s/count.%d", directory, index);
  FILE *f = fopen(from, "we");
  if (!f || fprintf(f, "%ld", n) < 0 || fclose(f) || rename(from, to)) _exit(0);
}

static void obstruct(int index) {
  static int fd = -1;
  if (have("refuse", index) && fd < 0) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  else if (!have("refuse", index) && fd >= 0) close(fd), fd = -1;
}

static void live(int index, size_t size) {
  uint64_t *words = malloc(size), n = size / sizeof *words, x = (uint64_t)index + 1;
  for (uint64_t i = 0; i < n; ++i) words[i] = x = x * 6364136223846793005u + 1442695040888963407u;
  for (long round = 0; !access(directory, F_OK) && !have("end", 0); ++round) {
    obstruct(index);
    for (uint64_t i = (uint64_t)round % 512; i < n; i += 512)
      if (i && words[i] != words[i - 1] * 6364136223846793005u + 1442695040888963407u) abort();
    count(index, round);
    usleep(2000);
  }
  while (wait(NULL) > 0) {
  }
  _exit(0);
}

int main(int argc, char **argv) {
  int processes = argc == 4 ? atoi(argv[2]) : 0;
  size_t size = argc == 4 ? (size_t)atol(argv[3]) << 20 : 0;
  if (processes < 1) return 2;
  directory = argv[1];
  for (int i = 1; i < processes; ++i)
    if (fork() == 0) live(i, size);
  live(0, size);
}
