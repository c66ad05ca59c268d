// A thread that has left the others' working directory (unshare(CLONE_FS)): refused by name, all go on.
// mig-test: refused=MIG0043
#include <sched.h>

#include "subject.h"

static atomic_int stands;

static void* live_elsewhere(void* unused) {
  EXPECT(!unshare(CLONE_FS) && !chdir("/proc"));
  stands = 1;
  for (;;) {
    char path[64];
    if (!getcwd(path, sizeof path) || strcmp(path, "/proc")) fail("the thread is in %s", path);
    sleep_ms(2);
  }
}
static void setup(void) {
  EXPECT(!chdir(directory));
  start_thread(live_elsewhere, NULL);
  WAIT_FOR(stands);
}
static void verify(void) {
  char path[4200];
  EXPECT_STR(getcwd(path, sizeof path), directory);
}
