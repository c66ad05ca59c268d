// A System V shared memory segment outlives its users and belongs to the whole host: refused by name, the program goes on.
// mig-test: refused=MIG0041
#include <sys/ipc.h>
#include <sys/shm.h>

#include "subject.h"

static char *map;

static void setup(void) {
  char line[32];
  int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
  if (id < 0) skip("shmget: %s", strerror(errno));
  snprintf(line, sizeof line, "-m %d\n", id);
  put_file("ipc", line);
  map = shmat(id, NULL, 0);
  EXPECT(!shmctl(id, IPC_RMID, NULL));
  fill(map, 8192, 1);
}
static void verify(void) { EXPECT_EQ(first_wrong(map, 8192, 1), -1); }
