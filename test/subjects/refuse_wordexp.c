// A shell that libc has started for wordexp and waits for: refused by name, the words come nevertheless.
// mig-test: refused=MIG0042
#include <wordexp.h>

#include "subject.h"

static pthread_t expanding;
static wordexp_t words;
static atomic_int answer = -1;

static void *expand(void *unused) {
  char text[9000];
  snprintf(text, sizeof text, "a $(echo x > %s/started; while [ -e %s ] && [ ! -e %s/go ]; do sleep 0.02; done; echo b c)", directory,
           directory, directory);
  for (char *c = text; *c; ++c)
    if (*c == ';') *c = '\n';
  answer = wordexp(text, &words, 0);
  return NULL;
}
static void setup(void) {
  expanding = start_thread(expand, NULL);
  WAIT_FOR(have_file("started") || answer >= 0);
}
static void verify(void) {
  if (generation) return;
  EXPECT_EQ(answer, -1);
  put_file("go", "");
  pthread_join(expanding, NULL);
  EXPECT_EQ(answer, 0);
  EXPECT_EQ(words.we_wordc, 3);
}
