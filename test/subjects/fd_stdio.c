// Standard I/O: unflushed output of FILEs comes out once, reading goes on in the middle of a buffer, and what was
// written after the checkpoint is not there twice.
#include "subject.h"

static FILE *out, *in, *memory;
static char *text;
static size_t size;

static void setup(void) {
  out = fopen(in_directory("out"), "w");
  fprintf(out, "line 0\n");
  FILE *f = fopen(in_directory("in"), "w");
  for (int i = 0; i < 5000; ++i) fprintf(f, "%d\n", i);
  fclose(f);
  in = fopen(in_directory("in"), "r");
  memory = open_memstream(&text, &size);
  fprintf(memory, "start");
}

static void verify(void) {
  int n = -1;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(fscanf(in, "%d", &n), 1);
    EXPECT_EQ(n, generation * 100 + i);
  }
  fprintf(memory, "+");
  fflush(memory);
  EXPECT_EQ(size, 6 + generation);
  fflush(out);
  char all[200] = "", wanted[200] = "";
  int fd = open(in_directory("out"), O_RDONLY);
  EXPECT(read(fd, all, sizeof all - 1) > 0);
  close(fd);
  for (int i = 0; i <= generation; ++i) snprintf(wanted + strlen(wanted), 100, "line %d\n", i);
  EXPECT_STR(all, wanted);
  fprintf(out, "line %d\n", generation + 1);
}
