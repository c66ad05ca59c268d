// dlopen before the checkpoint and after the restart, dlsym, thread-local storage of a loaded library, dlclose, dl_iterate_phdr.
#include <dlfcn.h>
#include <libgen.h>
#include <link.h>

#include "subject.h"

static void *handle;
static int (*next)(void);
static int *(*where)(void);
static char plugin[4200];

static int count_objects(struct dl_phdr_info *info, size_t size, void *count) { return ++*(int *)count, 0; }

static void setup(void) {
  char self[4100] = "";
  readlink("/proc/self/exe", self, sizeof self - 1);
  snprintf(plugin, sizeof plugin, "%s/plugin.so", dirname(self));
  handle = dlopen(plugin, RTLD_NOW);
  if (!handle) return fail("%s", dlerror());
  next = (int (*)(void))dlsym(handle, "plugin_next");
  where = (int *(*)(void))dlsym(handle, "plugin_local");
  EXPECT_EQ(next(), 1);
  *where() = 5;
}

static void verify(void) {
  int objects = 0, later = 0;
  EXPECT_EQ(next(), 2 + generation);
  EXPECT_EQ(*where(), 5);
  EXPECT(dlsym(handle, "plugin_next") == (void *)next);
  EXPECT(dlsym(handle, "no_such_name") == NULL);
  Dl_info info;
  EXPECT(dladdr((void *)next, &info) && strstr(info.dli_fname, "plugin.so"));
  dl_iterate_phdr(count_objects, &objects);
  void *maths = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  EXPECT(maths);
  double (*cosine)(double) = (double (*)(double))dlsym(maths, "cos");
  EXPECT(cosine && cosine(0) == 1);
  dl_iterate_phdr(count_objects, &later);
  EXPECT(later >= objects);
}
