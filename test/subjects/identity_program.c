// What shows the program: /proc/self/exe, cmdline, environ, comm, auxv, maps of the heap and stack, arguments in place.
#include <sys/auxv.h>

#include "subject.h"

extern char **environ;
static char exe[4096], command[8192], variables[32768];
static ssize_t command_size, variables_size;
static unsigned long auxv[4];
static char *home;

static ssize_t read_all(const char *path, char *to, size_t size) {
  int fd = open(path, O_RDONLY);
  ssize_t used = 0, n;
  while ((n = read(fd, to + used, size - used)) > 0) used += n;
  close(fd);
  return used;
}

static void setup(void) {
  EXPECT(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
  command_size = read_all("/proc/self/cmdline", command, sizeof command);
  variables_size = read_all("/proc/self/environ", variables, sizeof variables);
  auxv[0] = getauxval(AT_PHDR), auxv[1] = getauxval(AT_ENTRY), auxv[2] = getauxval(AT_RANDOM), auxv[3] = getauxval(AT_EXECFN);
  setenv("MY_OWN", "value with spaces", 1);
  home = getenv("HOME");
}

static void verify(void) {
  char link[4096] = "", text[32768] = "";
  EXPECT(readlink("/proc/self/exe", link, sizeof link - 1) > 0);
  EXPECT_STR(link, exe);
  EXPECT_EQ(read_all("/proc/self/cmdline", text, sizeof text), command_size);
  EXPECT(!memcmp(text, command, command_size));
  EXPECT_EQ(read_all("/proc/self/environ", text, sizeof text), variables_size);
  EXPECT(!memcmp(text, variables, variables_size));
  EXPECT_STR(getenv("MY_OWN"), "value with spaces");
  EXPECT(getenv("HOME") == home);
  EXPECT_STR(arguments[1], directory);
  EXPECT(getauxval(AT_PHDR) == auxv[0] && getauxval(AT_ENTRY) == auxv[1] && getauxval(AT_RANDOM) == auxv[2] && getauxval(AT_EXECFN) == auxv[3]);
  EXPECT_STR(program_invocation_short_name, "identity_program");
  memset(text, 0, sizeof text);
  read_all("/proc/self/comm", text, 100);
  EXPECT_STR(text, "identity_progra\n");
  int fd = open("/proc/self/maps", O_RDONLY), heap = 0, stack = 0;
  FILE *f = fdopen(fd, "r");
  while (fgets(text, sizeof text, f)) heap += !!strstr(text, "[heap]"), stack += !!strstr(text, "[stack]");
  fclose(f);
  EXPECT_EQ(stack, 1);
  EXPECT(heap >= 1);
}
