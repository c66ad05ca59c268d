// The end of a restarted program: atexit handlers run, output is flushed (the runner expects status 0).
#include "subject.h"

static FILE *out;
static pid_t born;

static void at_end(void) {
  if (getpid() != born || fprintf(out, "at the end\n") < 0 || fflush(out)) _exit(3);
}

static void setup(void) {
  born = getpid();
  out = fopen(in_directory("out"), "w");
  atexit(at_end);
}

static void verify(void) { EXPECT_EQ(ftell(out), 0); }
