// Restartable sequences are registered again for every thread: the kernel keeps cpu_id in the thread's area up to date.
#include <sched.h>
#include <sys/rseq.h>

#include "subject.h"

static atomic_int look, answered;

static struct rseq *area(void) { return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset); }

static void check(void) {
  for (int cpu = 0; cpu < 2; ++cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
  CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) continue;
    sched_yield();
    EXPECT_EQ(area()->cpu_id, cpu);
    EXPECT_EQ(sched_getcpu(), cpu);
  }
  EXPECT(syscall(SYS_rseq, area(), 32, 0, 0x53053053) == -1 && (errno == EBUSY || errno == EINVAL));  // registered already
}

static void *worker(void *unused) {
  for (int round = 0;; sleep_ms(1))
    if (look > round) {
      ++round;
      check();
      atomic_fetch_add(&answered, 1);
    }
}

static void setup(void) {
  if (!__rseq_size) skip("this libc does not register rseq");
  start_thread(worker, NULL);
  check();
}

static void verify(void) {
  answered = 0;
  check();
  atomic_fetch_add(&look, 1);
  WAIT_FOR(answered == 1);
}
