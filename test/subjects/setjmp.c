// setjmp before the checkpoint, longjmp after the restart; the same with ucontext and sigsetjmp.
#include <setjmp.h>
#include <ucontext.h>

#include "subject.h"

static jmp_buf plain;
static ucontext_t coroutine, back;
static volatile int steps, jumped;

static void body(void) {
  for (;;) {
    ++steps;
    swapcontext(&coroutine, &back);
  }
}

static void *jumper(void *unused) {
  static atomic_int go;
  volatile int local = 42;
  if (setjmp(plain)) {
    EXPECT_EQ(local, 42);
    ++jumped;
  }
  (void)go;
  int seen = steps;
  while (steps == seen) sleep_ms(1);
  longjmp(plain, 1);
}

static void setup(void) {
  getcontext(&coroutine);
  coroutine.uc_stack.ss_sp = malloc(65536);
  coroutine.uc_stack.ss_size = 65536;
  makecontext(&coroutine, body, 0);
  swapcontext(&back, &coroutine);
  start_thread(jumper, NULL);
  sleep_ms(20);
}

static void verify(void) {
  int before = jumped;
  swapcontext(&back, &coroutine);
  EXPECT_EQ(steps, 2 + generation);
  WAIT_FOR(jumped == before + 1);
}
