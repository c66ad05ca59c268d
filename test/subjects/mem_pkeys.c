// Protection keys: the mapping's key, the thread's PKRU, and the key's allocation.
#include "subject.h"

static char *area;
static int key;
static volatile int worker_rights = -1, look;

static void *worker(void *unused) {
  pkey_set(key, PKEY_DISABLE_WRITE);
  for (;;) {
    if (look) worker_rights = pkey_get(key), look = 0;
    sleep_ms(2);
  }
}

static void setup(void) {
  key = pkey_alloc(0, 0);
  if (key < 0) skip("pkey_alloc: %s", strerror(errno));
  area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  area[0] = 7;
  EXPECT(!pkey_mprotect(area, 4096, PROT_READ | PROT_WRITE, key));
  pkey_set(key, PKEY_DISABLE_ACCESS);
  start_thread(worker, NULL);
}

static void verify(void) {
  EXPECT_EQ(pkey_get(key), PKEY_DISABLE_ACCESS);
  EXPECT_EQ(atoi(smaps_field(area, "ProtectionKey")), key);
  EXPECT(write(open("/dev/null", O_WRONLY), area, 1) >= 0);
  look = 1;
  WAIT_FOR(!look);
  EXPECT_EQ(worker_rights, PKEY_DISABLE_WRITE);
  pkey_set(key, 0);
  EXPECT_EQ(area[0], 7);
  pkey_set(key, PKEY_DISABLE_ACCESS);
  int other = pkey_alloc(0, 0);
  EXPECT(other > 0 && other != key);
  pkey_free(other);
}
