// The functions of mig.h: a checkpoint asked for by the program itself, events, the generation number, an
// excluded range of memory, forbidding.
#include <dlfcn.h>

#include "subject.h"

static unsigned long (*mig_generation)(void);
static int (*mig_checkpoint)(void), (*mig_on_event)(void (*)(int, void *), void *), (*mig_exclude)(void *, size_t);
static void (*mig_forbid)(void), (*mig_allow)(void);
static const char *(*mig_error)(void);
static int seen[4];
static char *scratch;

static void on_event(int event, void *data) {
  if (data != (void *)seen || event < 1 || event > 3) return fail("event %d", event);
  ++seen[event];
}

static void setup(void) {
  mig_generation = dlsym(RTLD_DEFAULT, "mig_generation");
  if (!mig_generation) return;  // undisturbed
  mig_checkpoint = dlsym(RTLD_DEFAULT, "mig_checkpoint"), mig_on_event = dlsym(RTLD_DEFAULT, "mig_on_event");
  mig_exclude = dlsym(RTLD_DEFAULT, "mig_exclude"), mig_error = dlsym(RTLD_DEFAULT, "mig_error");
  mig_forbid = dlsym(RTLD_DEFAULT, "mig_forbid"), mig_allow = dlsym(RTLD_DEFAULT, "mig_allow");
  EXPECT(mig_checkpoint && mig_on_event && mig_exclude && mig_forbid && mig_allow && mig_error);
  EXPECT_EQ(mig_generation(), 0);
  EXPECT_EQ(mig_on_event(on_event, seen), 0);
  scratch = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(mig_exclude(scratch, 65536), 0);
  EXPECT(mig_exclude(scratch + 1, 4096) < 0 && errno == EINVAL);
  memset(scratch, 5, 65536);
}

static void verify(void) {
  if (!mig_generation) return;
  EXPECT_EQ(mig_generation(), generation + 1);
  EXPECT_EQ(seen[3], generation + 1);
  EXPECT_EQ(scratch[0], 0);  // excluded: zero after a restart
  EXPECT_EQ(scratch[65535], 0);
  int before = seen[1], resumed = seen[2];
  memset(scratch, 5, 65536);
  mig_forbid();
  EXPECT(mig_checkpoint() < 0 && errno == EAGAIN && strlen(mig_error()) > 10);
  mig_allow();
  int r = mig_checkpoint();
  if (r) fail("mig_checkpoint gives %d: %s", r, mig_error());
  EXPECT_EQ(seen[1], before + 1);
  EXPECT_EQ(seen[2], resumed + 1);
  EXPECT_EQ(scratch[0], 5);
}
