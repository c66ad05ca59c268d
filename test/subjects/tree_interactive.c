// A whole job at once, as ps would show it to each member: an interactive shell on a pseudo-terminal with a pipeline in its foreground,
// one in the background and a stopped job, a daemon, a group, a group whose leader has ended, and zombies. Each member that can
// speak compares every field of every process with what it was at the beginning: number, name, state, parent, group, session, terminal,
// and the terminal's foreground. Meanwhile the background pipeline counts without a gap, and the foreground one answers.
// mig-test: generations=3 timeout=120
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <utmp.h>

#include "tree.h"

enum { kMost = 40, kLine = 160 };
static int pids[kMost], count;
static char lines[kMost][kLine];
static int master, slave, numbers[2];
static pid_t shell, gone;
static long last;

static void read_whole(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
}

static int is_of_job(int pid) {
  for (int i = 0; i < count; ++i)
    if (pids[i] == pid) return 1;
  return 0;
}

/// One process as a line. It runs or sleeps: that is the same here. Of what leads out of the job only that is said.
static void describe(int pid, char *line) {
  char path[32], text[512], state = 0;
  int ppid = 0, group = 0, session = 0, terminal = 0, foreground = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  read_whole(path, text, sizeof text);
  char *name = strchr(text, '('), *end = strrchr(text, ')');
  if (!end || sscanf(end + 1, " %c %d %d %d %d %d", &state, &ppid, &group, &session, &terminal, &foreground) != 6) {
    snprintf(line, kLine, "%d: it is not there: %.60s", pid, text);
    return;
  }
  struct stat own;
  int inside = terminal && fstat(slave, &own) == 0 && (int)own.st_rdev == terminal;
  snprintf(line, kLine, "%d %.*s state %c parent %d group %d session %d terminal %s foreground %d", pid, (int)(end - name) + 1,
           name, state == 'R' || state == 'D' ? 'S' : state, is_of_job(ppid) ? ppid : -1, group, session,
           inside     ? "inside"
           : terminal ? "outside"
                      : "none",
           inside ? foreground : -1);
}

static void write_table(void) {
  static char text[kMost * (kLine + 1)];
  text[0] = 0;
  for (int i = 0; i < count; ++i) {
    describe(pids[i], lines[i]);
    strcat(strcat(text, lines[i]), "\n");
  }
  put_file("table", text);
}
static void read_table(void) {
  static char text[kMost * (kLine + 1)];
  read_whole(in_directory("table"), text, sizeof text);
  count = 0;
  for (char *line = strtok(text, "\n"); line && count < kMost; line = strtok(NULL, "\n")) {
    pids[count] = atoi(line);
    snprintf(lines[count++], kLine, "%s", line);
  }
}

/// As this process sees it. A process that was stopped may still be about to stop again.
static void compare(void) {
  if (!count) read_table();
  for (int i = 0; i < count; ++i) {
    char now[kLine];
    for (int ms = 0; describe(pids[i], now), strcmp(now, lines[i]) && ms < 5000; ++ms) sleep_ms(1);
    if (strcmp(now, lines[i])) fail("%s sees \"%s\", it was \"%s\"", tree_name, now, lines[i]);
  }
}

static void collect(int pid) {
  char path[64], text[1024];
  if (count < kMost) pids[count++] = pid;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  read_whole(path, text, sizeof text);
  for (char *at = text, *end; *at; at = end) {
    long child = strtol(at, &end, 10);
    if (end == at) break;
    collect((int)child);
  }
}

static void type(const char *text) {
  EXPECT_EQ(write(master, text, strlen(text)), strlen(text));
}

/// Waits until the terminal has shown it, and forgets what came before.
static void shows(const char *wanted) {
  static char screen[8192];
  static size_t used;
  for (int turn = 0; turn < 1000; ++turn) {
    char *found = strstr(screen, wanted);
    if (found) {
      used = strlen(found + strlen(wanted));
      memmove(screen, found + strlen(wanted), used + 1);
      return;
    }
    if (used > sizeof screen / 2) used = 0;
    struct pollfd p = {master, POLLIN, 0};
    if (poll(&p, 1, 10) == 1) {
      ssize_t n = read(master, screen + used, sizeof screen - 1 - used);
      used += n > 0 ? n : 0;
      screen[used] = 0;
    }
  }
  fail("the terminal does not show \"%s\": %.500s", wanted, screen);
}

/// Until a program of that name has the terminal.
static void await_foreground(const char *name) {
  char path[32], text[32];
  for (int ms = 0; ms < 10000; ++ms, sleep_ms(1)) {
    snprintf(path, sizeof path, "/proc/%d/comm", tcgetpgrp(master));
    read_whole(path, text, sizeof text);
    if (!strncmp(text, name, strlen(name))) return;
  }
  fail("%s is not in the foreground", name);
}

static void become_shell(void) {
  EXPECT_EQ(login_tty(slave), 0);
  EXPECT(dup2(numbers[1], 8) == 8);
  setenv("PS1", "$ ", 1);
  setenv("TERM", "dumb", 1);
  execl("/bin/bash", "bash", "--norc", "--noprofile", "--noediting", "-i", (char *)NULL);
  _exit(127);
}

static void start_terminal(void) {
  char command[9000];
  shell = fork();
  if (shell == 0) become_shell();
  shows("$ ");
  type("sleep 100000\n");
  await_foreground("sleep");
  type("\032");
  shows("Stopped");
  snprintf(command, sizeof command, "'%s' '%s' background &\n", arguments[0], directory);
  type(command);
  tree_await("background");
  snprintf(command, sizeof command,
           "mkfifo '%s/never'; while :; do read -t 0.05 <>'%s/never'; echo $((++i)); done | sed -u s/^/n/ >&8 &\n", directory,
           directory);
  type(command);
  snprintf(command, sizeof command, "cat | sed -u s/^/got-/ | '%s' '%s' foreground\n", arguments[0], directory);
  type(command);
  tree_await("foreground");
}

/// Its parent ends as soon as it is there: only then is the number of its parent the one that stays.
static void be_left(const char *name) {
  pid_t parent = getppid();
  put_file(name, "");
  WAIT_FOR(getppid() != parent);
  tree_member(name, compare);
}

static void start_groups(void) {
  if (fork() == 0) {
    setpgid(0, 0);
    if (fork() == 0) tree_member("in-group", compare);
    tree_member("group", compare);
  }
  gone = fork();
  if (gone == 0) {
    setpgid(0, 0);
    if (fork() == 0) be_left("left-in-group");
    WAIT_FOR(have_file("left-in-group"));
    _exit(3);
  }
  pid_t daemon = fork();
  if (daemon == 0) {
    setsid();
    if (fork() == 0) be_left("daemon");
    WAIT_FOR(have_file("daemon"));
    _exit(0);
  }
  EXPECT_EQ(waitpid(daemon, NULL, 0), daemon);
  if (fork() == 0) raise(SIGKILL);
  tree_await("in-group");
  tree_await("group");
  tree_await("left-in-group");
  tree_await("daemon");
}

static int has_state(int pid, char state) {
  char line[kLine], wanted[16];
  describe(pid, line);
  snprintf(wanted, sizeof wanted, " state %c ", state);
  return strstr(line, wanted) != NULL;
}

/// The counter's next lines, without a gap.
static void count_on(void) {
  static FILE *from;
  if (!from) from = fdopen(numbers[0], "r");
  for (int i = 0; i < 5; ++i) {
    long n = 0;
    EXPECT(from && fscanf(from, "n%ld\n", &n) == 1);
    EXPECT_EQ(n, ++last);
  }
}

/// Copies its input, a line at a time, while its other thread is a member.
static void *copy(void *unused) {
  (void)unused;
  char text[512];
  for (ssize_t n; (n = read(0, text, sizeof text)) > 0;) EXPECT_EQ(write(1, text, n), n);
  return NULL;
}

static void be_started_by_shell(void) {
  slave = 1;
  if (!strcmp(arguments[2], "foreground")) start_thread(copy, NULL);
  tree_member(arguments[2], compare);
}

static void setup(void) {
  if (arguments[2]) be_started_by_shell();
  if (access("/bin/bash", X_OK)) skip("no /bin/bash");
  tree_enter("first");
  EXPECT_EQ(openpty(&master, &slave, NULL, NULL, NULL), 0);
  EXPECT(fcntl(master, F_SETFD, FD_CLOEXEC) == 0);
  EXPECT_EQ(pipe(numbers), 0);
  start_terminal();
  start_groups();
  count_on();
  collect(getpid());
  collect(tree_known("left-in-group").pid);
  collect(tree_known("daemon").pid);
  WAIT_FOR(has_state(gone, 'Z'));
  write_table();
}

static void verify(void) {
  char text[32], answer[32];
  count_on();
  compare();
  tree_ask_all();
  snprintf(text, sizeof text, "word %d\n", generation);
  snprintf(answer, sizeof answer, "got-word %d\r\n", generation);
  type(text);
  shows(answer);
}
