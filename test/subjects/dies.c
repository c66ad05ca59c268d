// Ends by SIGABRT after a restart, in one of the ways in which libc ends a program: by functions that the program calls, and by
// what libc calls inside itself when it finds memory damaged. The file `how` names the way.
// mig-test: ways=abort,assert,raise,double_free,stack,buffer dies=6
#include <assert.h>

#include "subject.h"

extern void __stack_chk_fail(void);
extern void __chk_fail(void);

static void setup(void) {}

static void free_twice(void) {
  char *volatile p = malloc(4000);
  char *volatile fence = malloc(4000);
  free(p);
  free(p);
  free(fence);
}

static void verify(void) {
  char how[32] = "";
  int fd = open(in_directory("how"), O_RDONLY);
  if (fd < 0) return;
  EXPECT(read(fd, how, sizeof how - 1) > 0);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "assert")) __assert_fail("0", __FILE__, __LINE__, __func__);
  if (!strcmp(how, "raise")) raise(SIGABRT);
  if (!strcmp(how, "double_free")) free_twice();
  if (!strcmp(how, "stack")) __stack_chk_fail();
  if (!strcmp(how, "buffer")) __chk_fail();
  fail("%s: lives on", how);
}
