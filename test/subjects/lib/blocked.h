// Threads blocked in system calls. Each kind has a function that blocks once and checks what the call returned
// (never EINTR), and one that wakes it. A round after each restart wakes all of them, once.
#pragma once
#include "../subject.h"

struct blocked {
  const char *name;
  void (*block)(struct blocked *);
  void (*wake)(struct blocked *);
  void (*prepare)(struct blocked *);
  int fd[2];
  int number;
  void *pointer;
  atomic_int entered, returned, tid;
};

#define CALL(b, call, wanted)                                                                            \
  do {                                                                                                   \
    errno = 0;                                                                                           \
    long r_ = (long)(call);                                                                              \
    if (r_ != (long)(wanted)) fail("%s: %s gives %ld (%s)", (b)->name, #call, r_, strerror(errno)); \
  } while (0)

static void *blocked_thread(void *argument) {
  struct blocked *b = (struct blocked *)argument;
  b->tid = gettid();
  for (;;) {
    b->entered++;
    b->block(b);
    b->returned++;
  }
}

/// Waits until every thread sleeps in its call again.
static void blocked_settle(struct blocked *table, int count, int round) {
  for (int i = 0; i < count; ++i) {
    WAIT_FOR(table[i].entered == round + 1 || failed_once);
    char path[64], line[512] = "";
    for (int ms = 0; ms < 2000; ++ms) {
      snprintf(path, sizeof path, "/proc/self/task/%d/stat", table[i].tid);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
      close(fd);
      if (n > 0 && strstr(line, ") S ")) break;
      sleep_ms(1);
    }
  }
}

static void blocked_start(struct blocked *table, int count) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 128 << 10);
  for (int i = 0; i < count; ++i) {
    pthread_t t;
    if (table[i].prepare) table[i].prepare(&table[i]);
    EXPECT(!pthread_create(&t, &attr, blocked_thread, &table[i]));
  }
  blocked_settle(table, count, 0);
}

static void blocked_round(struct blocked *table, int count) {
  for (int i = 0; i < count; ++i) {
    if (table[i].returned != generation) fail("%s: returned by itself", table[i].name);
    table[i].wake(&table[i]);
    for (int ms = 0; ms < 8000 && table[i].returned == generation; ++ms) sleep_ms(1);
    if (table[i].returned == generation) fail("%s: does not wake up", table[i].name);
  }
  blocked_settle(table, count, generation + 1);
}
