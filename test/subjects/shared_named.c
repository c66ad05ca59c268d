// Memory with a name: shm_open and sem_open of two processes, one that has only mapped it, one that has a descriptor too; a name that was
// removed and one that nobody has mapped any more. What was written since the checkpoint by nobody is as it was.
#include "members.h"
#include "named_memory.h"

enum { kOpen = 1, kCount, kPost, kLook };

static long *counter;
static sem_t *bell;
static int kept;

static void *map_named(const char *what, int flags, int *fd) {
  *fd = shm_open(memory_name(what), O_RDWR | flags, 0600);
  EXPECT(*fd >= 0 && (!flags || !ftruncate(*fd, 20000)));
  void *p = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  EXPECT(p != MAP_FAILED);
  return p;
}

static void serve(int order) {
  int fd;
  switch (order % 100) {
    case kOpen:
      counter = map_named("memory", 0, &fd);
      close(fd);
      bell = sem_open(memory_name("bell"), 0);
      EXPECT(bell != SEM_FAILED);
      break;
    case kCount: ++counter[1000]; break;
    case kPost: EXPECT(!sem_post(bell)); break;
    case kLook:  // by the name, as a process would that comes later
      fd = shm_open(memory_name("memory"), O_RDWR, 0);
      EXPECT(fd >= 0);
      EXPECT(pread(fd, &fd, 0, 0) == 0);
      long value = 0;
      EXPECT(pread(fd, &value, sizeof value, 8000) == sizeof value && value == counter[1000]);
      close(fd);
      break;
  }
}

static void clean_up(void) {
  shm_unlink(memory_name("memory"));
  sem_unlink(memory_name("bell"));
}

static void setup(void) {
  clean_up();
  counter = map_named("memory", O_CREAT | O_EXCL, &kept);
  fill(counter, 4000, 1);
  bell = sem_open(memory_name("bell"), O_CREAT | O_EXCL, 0600, 0);
  EXPECT(bell != SEM_FAILED);
  start_member(0, serve);
  atexit(clean_up);
  ask_member(0, kOpen);
}

static void verify(void) {
  struct stat st;
  long before = counter[1000];
  EXPECT_EQ(first_wrong(counter, 4000, 1), -1);
  EXPECT_EQ(before, 2 * generation);
  ask_member(0, kCount);
  EXPECT_EQ(counter[1000], before + 1);
  EXPECT(pread(kept, &before, sizeof before, 8000) == sizeof before && before == counter[1000]);
  ++counter[1000];
  ask_member(0, kLook);
  EXPECT(!fstat(kept, &st) && st.st_size == 20000 && (st.st_mode & 0777) == 0600 && st.st_nlink == 1);
  EXPECT(sem_trywait(bell) < 0 && errno == EAGAIN);
  ask_member(0, kPost);
  EXPECT(!sem_trywait(bell));
  sem_t *again = sem_open(memory_name("bell"), 0);
  EXPECT(again != SEM_FAILED && !sem_post(again) && !sem_trywait(bell));
  sem_close(again);
}
