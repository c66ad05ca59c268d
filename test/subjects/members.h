// For subjects of several processes: children that do what the first process tells them, one order at a time. Orders and answers go
// through shared anonymous memory; a child that finds something wrong leaves the sentence there.
#pragma once
#include "subject.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct Member {
  atomic_int order, done;
  pid_t pid;
  char failure[1024];
};
static struct Member *members;

struct Service {
  struct Member *member;
  void (*serve)(int order);
};

static int run_member(void *argument) {
  struct Service service = *(struct Service *)argument;
  struct Member *m = service.member;
  while (!have_file("end") && !access(directory, F_OK)) {
    int order = atomic_load(&m->order);
    if (order == atomic_load(&m->done)) {
      sleep_ms(1);
      continue;
    }
    failed_once = 0;
    service.serve(order);
    strcpy(m->failure, failed_once ? failure : "");
    atomic_store(&m->done, order);
  }
  _exit(0);
}

static void prepare_members(void) {
  if (!members) {
    void *p = mmap(NULL, 64 * sizeof *members, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(p != MAP_FAILED);
    members = p;
  }
}

/// Makes child `index` of up to 64 by fork; it calls `serve(order)` for each order until the test ends.
__attribute__((unused)) static void start_member(int index, void (*serve)(int order)) {
  prepare_members();
  struct Service service = {&members[index], serve};
  pid_t pid = fork();
  EXPECT(pid >= 0);
  if (!pid) run_member(&service);
  members[index].pid = pid;
}

/// The same by clone(2) with `flags`. Libc does not know such a child: it has its parent's pthread_self().
__attribute__((unused)) static void clone_member(int index, void (*serve)(int order), int flags) {
  static char stack[64 << 10];
  prepare_members();
  struct Service service = {&members[index], serve};
  members[index].pid = clone(run_member, stack + sizeof stack, flags | SIGCHLD, &service);
  EXPECT(members[index].pid > 0);
}

static void order_member(int index, int order) {
  atomic_store(&members[index].order, order);
}
/// Waits for its answer; what failed there has failed here.
static void await_member(int index) {
  struct Member *m = &members[index];
  WAIT_FOR(atomic_load(&m->done) == atomic_load(&m->order));
  if (m->failure[0]) fail("member %d: %s", index, m->failure);
}
/// An order that differs from the one before.
static int next_order(int what) {
  static int count;
  return what + 100 * ++count;
}
__attribute__((unused)) static void ask_member(int index, int what) {
  order_member(index, next_order(what));
  await_member(index);
}
