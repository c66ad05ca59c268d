// A program that would use io_uring, by liburing or by syscall(2), is told that there is none. One that gets a ring keeps it, and
// could not be saved.
#include <dlfcn.h>

#include "subject.h"

enum { kRingSize = 4096 };  // struct io_uring and struct io_uring_params have less
static char rings[3][kRingSize], parameters[2][kRingSize];

static void setup(void) {
  if (!dlopen("liburing.so.2", RTLD_NOW | RTLD_GLOBAL)) skip("%s", dlerror());
  int (*queue_init)(unsigned, void*, unsigned) = (int (*)(unsigned, void*, unsigned))dlsym(RTLD_DEFAULT, "io_uring_queue_init");
  int (*queue_init_params)(unsigned, void*, void*) =
      (int (*)(unsigned, void*, void*))dlsym(RTLD_DEFAULT, "io_uring_queue_init_params");
  EXPECT(queue_init && queue_init_params);
  long by_name = queue_init(8, rings[0], 0), by_parameters = queue_init_params(8, rings[1], parameters[0]);
  long by_number = syscall(425 /* io_uring_setup */, 8, parameters[1]);
  EXPECT_EQ(by_name < 0, by_parameters < 0);
  EXPECT_EQ(by_name < 0, by_number < 0);
}

static void verify(void) {}
