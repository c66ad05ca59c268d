// AMX: tile registers that hold values over a restart, in the main code and under a signal handler, beside threads without them.
#include <cpuid.h>

#include "subject.h"

static struct {
  unsigned char palette, start_row, reserved[14];
  unsigned short columns[16];
  unsigned char rows[16];
} configuration __attribute__((aligned(64)));
static unsigned char tile[16][64];
static atomic_int held[2], leave[2];
static atomic_long rounds[2];

__attribute__((target("amx-tile"))) static void load(void) {
  __asm__ volatile("ldtilecfg %0\n tileloadd (%1,%2,1), %%tmm0" ::"m"(configuration), "r"(tile), "r"(64L) : "memory");
}

__attribute__((target("amx-tile"))) static void compare(int who) {
  unsigned char seen[16][64];
  __asm__ volatile("tilestored %%tmm0, (%0,%1,1)\n tilerelease" ::"r"(seen), "r"(64L) : "memory");
  if (memcmp(seen, tile, sizeof tile)) fail("the tile of thread %d has changed", who);
  held[who] = 0;
  rounds[who]++;
}

/// Until it is told, once.
static void hold(int who) {
  held[who] = 1;
  while (!leave[who]) __asm__ volatile("pause");
  leave[who] = 0;
}

static void handler(int signal) {
  hold(1);
}

static void *worker(void *argument) {
  for (;;) {
    load();
    hold(0);
    compare(0);
  }
}

// Interrupted with a full tile; the handler itself is where it is stopped.
static void *interrupted(void *argument) {
  for (;;) {
    load();
    raise(SIGUSR1);
    compare(1);
  }
}

static void *idle(void *argument) {
  for (;;) pause();
}

static void setup(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 24 & 1)) skip("this CPU has no AMX");
  if (syscall(SYS_arch_prctl, 0x1023, 18)) skip("the kernel gives no permission for AMX");
  fill(tile, sizeof tile, 1);
  configuration.palette = 1, configuration.columns[0] = 64, configuration.rows[0] = 16;
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR1, &action, NULL);
  start_thread(worker, NULL);
  start_thread(interrupted, NULL);
  start_thread(idle, NULL);
  WAIT_FOR(held[0] && held[1]);
}

static void verify(void) {
  for (int i = 0; i < 2; ++i) {
    long before = rounds[i];
    leave[i] = 1;
    WAIT_FOR(rounds[i] > before);
    WAIT_FOR(held[i]);
  }
  unsigned long permitted = 0;
  EXPECT_EQ(syscall(SYS_arch_prctl, 0x1022, &permitted), 0);
  EXPECT(permitted >> 18 & 1);
}
