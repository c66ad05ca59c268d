// A System V shared memory segment is attached again at its address.
#include <sys/ipc.h>
#include <sys/shm.h>

#include "subject.h"

static int id;
static char *map;

static void setup(void) {
  char line[32];
  id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
  if (id < 0) skip("shmget: %s", strerror(errno));
  snprintf(line, sizeof line, "-m %d\n", id);
  put_file("ipc", line);
  map = shmat(id, NULL, 0);
  fill(map, 8192, 1);
}

static void verify(void) {
  struct shmid_ds info;
  EXPECT_EQ(first_wrong(map, 8192, 1 + generation), -1);
  fill(map, 8192, 2 + generation);
  EXPECT(!shmctl(id, IPC_STAT, &info));
  EXPECT_EQ(info.shm_nattch, 1);
  char *again = shmat(id, NULL, SHM_RDONLY);
  EXPECT_EQ(first_wrong(again, 8192, 2 + generation), -1);
  shmdt(again);
}
