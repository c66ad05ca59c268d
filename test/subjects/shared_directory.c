// Processes that have one working directory and umask (clone with CLONE_FS, without CLONE_VM): a chdir or umask of one is one of all. The
// child of a fork has its own.
#include "members.h"

enum { kGo = 1, kMask, kLook, kLookOwn };

struct Place {
  char path[4200];
  mode_t mask;
};
static struct Place *place;  ///< shared memory: where all should be

static void expect_place(const char *path, mode_t mask) {
  char now[4200];
  EXPECT_STR(getcwd(now, sizeof now), path);
  mode_t was = umask(mask);
  EXPECT_EQ(was, mask);
}

static void serve(int order) {
  switch (order % 100) {
    case kGo: EXPECT(!chdir(place->path)); break;
    case kMask: umask(place->mask); break;
    case kLook: expect_place(place->path, place->mask); break;
    case kLookOwn: expect_place("/", 011); break;
  }
}

static void setup(void) {
  place = (struct Place *)mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(!chdir("/"));
  umask(011);
  clone_member(0, serve, CLONE_FS);
  clone_member(1, serve, CLONE_FS | CLONE_FILES);
  clone_member(2, serve, 0);
  EXPECT(!mkdir(in_directory("place.0"), 0700));
  strcpy(place->path, in_directory("place.0"));
  place->mask = 027;
  EXPECT(!chdir(place->path));
  umask(place->mask);
  ask_member(0, kLook);
}

static void verify(void) {
  char name[32];
  expect_place(place->path, place->mask);
  for (int i = 0; i < 2; ++i) ask_member(i, kLook);
  ask_member(2, kLookOwn);
  snprintf(name, sizeof name, "place.%d", generation + 1);
  EXPECT(!mkdir(in_directory(name), 0700));
  strcpy(place->path, in_directory(name));
  place->mask = (mode_t)(020 + generation);
  ask_member(generation % 2, kGo);
  ask_member(1 - generation % 2, kMask);
  expect_place(place->path, place->mask);
  for (int i = 0; i < 2; ++i) ask_member(i, kLook);
  ask_member(2, kLookOwn);
}
