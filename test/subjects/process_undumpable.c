// A program that made itself not dumpable (PR_SET_DUMPABLE 0) is either restored as such or refused; it must not end.
// mig-test: generations=1
#include <sys/prctl.h>

#include "subject.h"

static void setup(void) { EXPECT(!prctl(PR_SET_DUMPABLE, 0)); }
static void verify(void) { EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0); }
