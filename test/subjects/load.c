// A program under load: threads that compute, write, lock, allocate and make system calls without pause.
// mig-test: allocators timeout=90
#include "subject.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static atomic_long rounds[6];

static void *worker(void *argument) {
  long me = (long)argument;
  char name[32];
  snprintf(name, sizeof name, "out%ld", me);
  int fd = me == 1 ? open(in_directory(name), O_RDWR | O_CREAT, 0600) : -1;
  int tube[2];
  pipe(tube);
  for (long n = 0;; ++n) {
    if (me == 0) {
      pthread_mutex_lock(&mutex);
      long before = counter;
      ++counter;
      if (counter != before + 1) fail("the mutex does not exclude");
      pthread_mutex_unlock(&mutex);
    } else if (me == 1) {
      EXPECT_EQ(write(fd, &n, sizeof n), sizeof n);
      long back = -1;
      EXPECT_EQ(pread(fd, &back, sizeof back, n % 1000 * 8), 8);
      EXPECT_EQ(back, n % 1000);
      if (n == 100000) n = lseek(fd, 0, SEEK_SET) - 1;
    } else if (me == 2) {
      char *p = malloc(1000 + n % 100000);
      p[0] = p[999] = 1;
      free(p);
    } else if (me == 3) {
      char c = n, d = ~n;
      EXPECT_EQ(write(tube[1], &c, 1), 1);
      EXPECT_EQ(read(tube[0], &d, 1), 1);
      EXPECT_EQ(c, d);
    } else if (me == 4) {
      pthread_mutex_lock(&mutex);
      --counter, ++counter;
      pthread_mutex_unlock(&mutex);
      int f = open("/dev/null", O_RDWR);
      if (f < 0 || close(f)) fail("open and close: %s", strerror(errno));
    } else {
      void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      memset(p, 1, 65536);
      if (munmap(p, 65536)) fail("munmap");
    }
    rounds[me]++;
  }
}

static void setup(void) {
  for (long i = 0; i < 6; ++i) start_thread(worker, (void *)i);
  sleep_ms(50);
}

static void verify(void) {
  for (int i = 0; i < 6; ++i) {
    long before = rounds[i];
    WAIT_FOR(rounds[i] > before + 20);
  }
}
