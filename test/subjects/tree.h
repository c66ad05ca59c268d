// Subjects that are trees of processes. Every process but the first runs tree_member(): it writes its numbers to known.NAME, and
// after each restart (go.G) looks whether they still are what they were, and those of all others too, as far as the kernel tells
// them; its verdict stands in said.NAME.G. It ends with the subject, or when the subject's directory is gone.
#pragma once
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "subject.h"

struct numbers {
  int pid, ppid, pgid, sid;
};
static struct numbers tree_own;
static char tree_name[64];

__attribute__((unused)) static struct numbers numbers_now(void) {
  struct numbers n = {getpid(), getppid(), getpgrp(), getsid(0)};
  return n;
}

__attribute__((unused)) static void tree_enter(const char *name) {
  char file[80], text[80];
  tree_own = numbers_now();
  snprintf(tree_name, sizeof tree_name, "%s", name);
  snprintf(file, sizeof file, "known.%s", name);
  snprintf(text, sizeof text, "%d %d %d %d", tree_own.pid, tree_own.ppid, tree_own.pgid, tree_own.sid);
  put_file(file, text);
}

static int tree_read(const char *name, char *text, size_t size) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  return n >= 0;
}

__attribute__((unused)) static struct numbers tree_known(const char *name) {
  char file[80], text[80];
  struct numbers n = {0, 0, 0, 0};
  snprintf(file, sizeof file, "known.%s", name);
  if (!tree_read(file, text, sizeof text) || sscanf(text, "%d %d %d %d", &n.pid, &n.ppid, &n.pgid, &n.sid) != 4)
    fail("%s: nothing known of %s", tree_name, name);
  return n;
}

static void tree_expect(const char *of, const char *what, int now, int before) {
  if (now != before) fail("%s: %s of %s is %d, was %d (errno: %s)", tree_name, what, of, now, before, strerror(errno));
}

/// Own numbers, and what every process is told of every other.
static void tree_verify(void) {
  struct numbers now = numbers_now();
  tree_expect("itself", "pid", now.pid, tree_own.pid);
  tree_expect("itself", "parent", now.ppid, tree_own.ppid);
  tree_expect("itself", "group", now.pgid, tree_own.pgid);
  tree_expect("itself", "session", now.sid, tree_own.sid);
  DIR *d = opendir(directory);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, "known.", 6)) continue;
    struct numbers n = tree_known(e->d_name + 6);
    tree_expect(e->d_name + 6, "signal", kill(n.pid, 0), 0);
    tree_expect(e->d_name + 6, "group", getpgid(n.pid), n.pgid);
    tree_expect(e->d_name + 6, "session", getsid(n.pid), n.sid);
  }
  if (d) closedir(d);
}

/// Waits for a file; ends the process with the subject.
static void tree_wait(const char *name) {
  while (!have_file(name)) {
    if (have_file("end") || access(directory, F_OK)) _exit(0);
    sleep_ms(2);
  }
}

/// The life of every process but the first; `more` is called after each restart (may be NULL).
__attribute__((unused, noreturn)) static void tree_member(const char *name, void (*more)(void)) {
  tree_enter(name);
  for (int g = 0;; ++g) {
    char file[100];
    snprintf(file, sizeof file, "go.%d", g);
    tree_wait(file);
    tree_verify();
    if (more) more();
    snprintf(file, sizeof file, "said.%s.%d", tree_name, g);
    put_file(file, failed_once ? failure : "ok");
    if (failed_once) tree_wait("nothing");  // its end would be one more thing that others find wrong
  }
}

/// In setup of the first process: until the named one is there.
__attribute__((unused)) static void tree_await(const char *name) {
  char file[80];
  snprintf(file, sizeof file, "known.%s", name);
  WAIT_FOR(have_file(file));
}

/// In verify of the first process: everybody looks, and must be content.
__attribute__((unused)) static void tree_ask_all(void) {
  char file[100];
  snprintf(file, sizeof file, "go.%d", generation);
  put_file(file, "");
  tree_verify();
  DIR *d = opendir(directory);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, "known.", 6) || !strcmp(e->d_name + 6, tree_name)) continue;
    char text[1024] = "nothing";
    snprintf(file, sizeof file, "said.%.60s.%d", e->d_name + 6, generation);
    WAIT_FOR(tree_read(file, text, sizeof text));
    if (strcmp(text, "ok")) fail("%.60s: %s", e->d_name + 6, text);
  }
  if (d) closedir(d);
}
