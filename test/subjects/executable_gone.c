// Programs whose file is not what it was: one was replaced on disk by another program, one was removed, while they ran.
#include "tree.h"

#include <sys/sendfile.h>

static int numbers[5000] = {1, 2, 3};
static int changed;

static void copy_program(const char *from, const char *to) {
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  struct stat st;
  EXPECT(in >= 0 && out >= 0 && !fstat(in, &st));
  for (off_t at = 0; at < st.st_size;)
    if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0) fail("copy %s: %s", to, strerror(errno));
  close(in);
  close(out);
}

static void become(const char *name, char *role) {
  char *words[] = {(char *)(uintptr_t)name, arguments[1], role, NULL};
  execv(name, words);
  fail("exec %s: %s", name, strerror(errno));
}

/// Constants, data and code of the program that began.
static void look(void) {
  char link[4200] = "";
  EXPECT_EQ(numbers[2], 3);
  EXPECT_EQ(numbers[4999], changed);
  numbers[4999] = ++changed;
  EXPECT(readlink("/proc/self/exe", link, sizeof link - 1) > 0);
  EXPECT(!strncmp(link, in_directory(tree_name), strlen(in_directory(tree_name))));
}

static void start(void) {
  char from[4200];
  snprintf(from, sizeof from, "%s", "/proc/self/exe");
  for (int i = 0; i < 2; ++i) copy_program(from, in_directory(i ? "removed" : "replaced"));
  pid_t child = fork();
  EXPECT(child >= 0);
  if (!child) become(in_directory("removed"), "removed");
  become(in_directory("replaced"), "replaced");
}

static void setup(void) {
  if (!arguments[2]) return start();
  if (!strcmp(arguments[2], "removed")) {
    EXPECT(!unlink(in_directory("removed")));
    tree_member("removed", look);
  }
  copy_program("/bin/true", in_directory("fresh"));
  EXPECT(!rename(in_directory("fresh"), in_directory("replaced")));
  tree_enter("replaced");
  tree_await("removed");
}

static void verify(void) {
  look();
  tree_ask_all();
}
