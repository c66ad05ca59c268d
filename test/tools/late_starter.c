// late_starter DIRECTORY KIND: a process starts this program by posix_spawn (0) or vfork (1) and ends at once; what it has started gets no
// further than the loader until there is the file `go` (the functions of .preinit_array run before those of any library). It adds one byte
// to the file `come`; with the file `end` all end.
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char path[4200];

static const char *in(const char *directory, const char *name) {
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

static void put(const char *directory, const char *name, const char *text) {
  int fd = open(in(directory, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) abort();
  close(fd);
}

static void await(const char *directory, const char *name) {
  while (access(in(directory, name), F_OK) && !access(directory, F_OK)) usleep(1000);
}

static void be_late(int argc, char **argv, char **environment) {
  (void)environment;
  if (argc != 2) return;
  char number[32];
  snprintf(number, sizeof number, "%d", getpid());
  put(argv[1], "late", number);
  await(argv[1], "go");
}
__attribute__((section(".preinit_array"), used)) static void (*const early)(int, char **, char **) = be_late;

int main(int argc, char **argv) {
  if (argc == 2) {
    put(argv[1], "come", "x");
    return await(argv[1], "end"), 0;
  }
  pid_t starter = fork(), child;
  char *words[] = {argv[0], argv[1], NULL};
  if (starter == 0 && *argv[2] == '0') _exit(posix_spawn(&child, words[0], NULL, NULL, words, environ));
  if (starter == 0 && (child = vfork()) == 0) execve(words[0], words, environ), _exit(127);
  if (starter == 0) _exit(child < 0);
  int status;
  if (waitpid(starter, &status, 0) != starter || status) return 9;
  put(argv[1], "ready", "");
  return await(argv[1], "end"), 0;
}
