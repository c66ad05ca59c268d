// Every relation between the processes of a tree, as each of them sees it, against what it saw before: number, parent, group,
// session, terminal, foreground group, state, name, threads, handled signals. Read off /proc by every living member, and by ps.
// There are two sessions with a terminal each (jobs in the foreground, in the background, stopped by a signal and by reading),
// zombies of several kinds, orphans, a subreaper, groups and a session without their leaders, threads. A process that runs and one
// that sleeps count as the same; terminals are named by the pair that they belong to. Where a file `own-terminals` says that nobody
// else takes any, their numbers must stay too.
// mig-test: generations=3 timeout=120
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "tree.h"

enum { kMost = 40, kTerminals = 2, kText = 16384 };
struct Shared {
  atomic_int count, terminal[kTerminals];
  struct {
    char name[24];
    pid_t pid;
  } all[kMost];
};
static struct Shared *shared;
static int master[kTerminals], slave[kTerminals], first_number[kTerminals];
static char before[kText], before_ps[kText];

// What there is to see

static const char *terminal_name(int device) {
  static char text[24];
  for (int i = 0; i < kTerminals; ++i)
    if (device && device == atomic_load(&shared->terminal[i])) return i ? "pair-B" : "pair-A";
  snprintf(text, sizeof text, "%d", device);
  return text;
}

static char state_class(char state) {
  return state == 'R' || state == 'D' ? 'S' : state;
}

static void put(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(char *to, const char *format, ...) {
  size_t used = strlen(to);
  va_list args;
  va_start(args, format);
  vsnprintf(to + used, kText - used, format, args);
  va_end(args);
}

/// The fields of /proc/PID/stat that are relations.
static void put_stat(char *to, pid_t pid) {
  char path[64], text[1024] = "", comm[64] = "";
  int number = 0, parent, group, session, terminal, foreground, signal = 0;
  long nice, threads;
  char state;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) put(to, " no-stat");
  if (fd >= 0) close(fd);
  char *behind = strrchr(text, ')'), *name = strchr(text, '(');
  if (!behind || !name) return;
  *behind = 0;
  snprintf(comm, sizeof comm, "%s", name + 1);
  sscanf(text, "%d", &number);
  int n = sscanf(behind + 2,
                 "%c %d %d %d %d %d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %ld %ld %*d %*u %*u %*d %*u %*u %*u %*u %*u %*u %*u"
                 " %*u %*u %*u %*u %*u %*u %d",
                 &state, &parent, &group, &session, &terminal, &foreground, &nice, &threads, &signal);
  if (n < 9) return put(to, " short-stat-%d", n);
  put(to, " pid=%d comm=%s state=%c ppid=%d pgid=%d sid=%d tty=%s", number, comm, state_class(state), parent, group, session,
      terminal_name(terminal));
  put(to, " tpgid=%d nice=%ld threads=%ld exit-signal=%d", foreground, nice, threads, signal);
}

static void put_status(char *to, pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  int ended = field_of(path, "State")[0] == 'Z';  // what it had set is gone
  for (const char *const *name = (const char *const[]){"Name", "Tgid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "NSpid",
                                                       "NSpgid", "NSsid", "SigIgn", "SigCgt", NULL};
       *name; ++name) {
    if (ended && !strncmp(*name, "Sig", 3)) break;
    put(to, " %s=", *name);
    const char *nested = strncmp(*name, "NS", 2) ? "" : "\t";  // of several namespaces, the first is this one's
    char value[256];
    snprintf(value, sizeof value, "%s", field_of(path, *name));
    if (*nested) value[strcspn(value, nested)] = 0;
    for (char *p = value; *p; ++p) *p = *p == '\t' || *p == ' ' ? '-' : *p;
    put(to, "%s", value);
  }
}

static int by_number(const struct dirent **a, const struct dirent **b) {
  return atoi((*a)->d_name) - atoi((*b)->d_name);
}
static int is_number(const struct dirent *e) {
  return e->d_name[0] >= '1' && e->d_name[0] <= '9';
}

static void put_tasks(char *to, pid_t pid) {
  char path[64];
  struct dirent **list;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  int n = scandir(path, &list, is_number, by_number);
  put(to, " tasks=");
  for (int i = 0; i < n; free(list[i++])) put(to, "%s,", list[i]->d_name);
  if (n >= 0) free(list);
}

static void look(char *to) {
  to[0] = 0;
  for (int i = 0; i < atomic_load(&shared->count); ++i) {
    pid_t pid = shared->all[i].pid;
    put(to, "%s", shared->all[i].name);
    put_stat(to, pid);
    put_status(to, pid);
    put_tasks(to, pid);
    put(to, " getpgid=%d getsid=%d kill=%d\n", getpgid(pid), getsid(pid), kill(pid, 0));
  }
}

/// A line of ps without what may differ: whether it just runs, and the terminal's number.
static void put_ps_line(char *to, char *line) {
  int pid, parent, group, session, pair;
  char terminal[32], state[16], comm[64];
  if (sscanf(line, "%d %d %d %d %31s %15s %63[^\n]", &pid, &parent, &group, &session, terminal, state, comm) != 7)
    return put(to, "? %s", line);
  const char *shown = sscanf(terminal, "pts/%d", &pair) == 1 ? terminal_name((136 << 8) | pair) : terminal;
  state[0] = state_class(state[0]);
  put(to, "%d ppid=%d pgid=%d sid=%d tty=%s stat=%s comm=%s\n", pid, parent, group, session, shown, state, comm);
}

static void look_by_ps(char *to) {
  char command[512] = "exec ps -o pid=,ppid=,pgid=,sid=,tty=,stat=,comm= -p ", line[512];
  to[0] = 0;
  for (int i = 0; i < atomic_load(&shared->count); ++i)
    snprintf(command + strlen(command), sizeof command - strlen(command), "%s%d", i ? "," : "", shared->all[i].pid);
  FILE *f = popen(command, "r");
  while (f && fgets(line, sizeof line, f)) put_ps_line(to, line);
  if (f) EXPECT_EQ(pclose(f), 0);
}

// Now against before

static const char *line_of(const char *text, const char *start) {
  size_t n = strcspn(start, " ");
  for (; *text; text += strcspn(text, "\n") + 1)
    if (!strncmp(text, start, n + 1)) return text;
  return "";
}

/// The lines are fields that blanks separate.
static void compare_lines(const char *a, const char *b) {
  char name[32] = "";
  snprintf(name, sizeof name, "%.*s", (int)strcspn(a, " "), a);
  for (;;) {
    size_t n = strcspn(a, " \n"), m = strcspn(b, " \n");
    if (n != m || strncmp(a, b, n)) return fail("%s sees %s: %.*s, was %.*s", tree_name, name, (int)m, b, (int)n, a);
    if (a[n] != ' ') return;
    a += n + 1, b += m + 1;
  }
}

static void compare(const char *was, const char *is) {
  for (const char *line = was; *line; line += strcspn(line, "\n") + 1) compare_lines(line, line_of(is, line));
  EXPECT_EQ(strlen(was) > 0, strlen(is) > 0);
}

static int has_ps(void) {
  return access("/bin/ps", X_OK) == 0 &&
         (!strcmp(tree_name, "first") || !strncmp(tree_name, "shell", 5) || !strcmp(tree_name, "adopted"));
}

static void look_again(void) {
  static char now[kText];
  look(now);
  compare(before, now);
  if (!has_ps()) return;
  look_by_ps(now);
  compare(before_ps, now);
}

static void look_first(void) {
  look(before);
  if (has_ps()) look_by_ps(before_ps);
}

// The tree

static void enlist(const char *name, pid_t pid) {
  int i = atomic_fetch_add(&shared->count, 1);
  snprintf(shared->all[i].name, sizeof shared->all[i].name, "%s", name);
  shared->all[i].pid = pid;
}

__attribute__((noreturn)) static void live(const char *name) {
  char file[80];
  prctl(PR_SET_NAME, name);
  enlist(name, getpid());
  tree_enter(name);
  tree_wait("all-there");
  look_first();
  snprintf(file, sizeof file, "looked.%s", name);
  put_file(file, "");
  tree_member(name, look_again);
}

static pid_t start(const char *name, pid_t group) {
  pid_t child = fork();
  if (child == 0) {
    if (group >= 0) setpgid(0, group);
    live(name);
  }
  tree_await(name);
  return child;
}

static void await_state(pid_t pid, char state) {
  char path[64], text[512] = "", *behind = text;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (int ms = 0; ms < 10000 && !(behind && behind[0] && behind[2] == state); ++ms, sleep_ms(1)) {
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    behind = strrchr(text, ')');
  }
  EXPECT(behind && behind[0] && behind[2] == state);
}

/// A process that only others look at.
static pid_t start_silent(const char *name, pid_t group, void (*run)(void)) {
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    if (group >= 0) setpgid(0, group);
    put_file(name, "");
    run();
    _exit(3);
  }
  WAIT_FOR(have_file(name));
  enlist(name, child);
  return child;
}
static void pause_for_ever(void) {
  for (;;) pause();
}
static void die_by_signal(void) {
  raise(SIGTERM);
}
static void dump_core(void) {
  abort();
}
static void end_at_once(void) {}
static void read_terminal(void) {
  char byte;
  for (;;) EXPECT(read(slave[0], &byte, 1) >= 0);
}

static void shell(int i) {
  char name[24];
  setsid();
  EXPECT_EQ(ioctl(slave[i], TIOCSCTTY, 0), 0);
  snprintf(name, sizeof name, "foreground-%c", 'A' + i);
  pid_t foreground = start(name, 0);
  snprintf(name, sizeof name, "pipeline-%c", 'A' + i);
  start(name, foreground);
  EXPECT_EQ(tcsetpgrp(slave[i], foreground), 0);
  snprintf(name, sizeof name, "background-%c", 'A' + i);
  start(name, 0);
  if (i == 0) {
    pid_t stopped = start_silent("stopped", 0, pause_for_ever), reader = start_silent("reader", 0, read_terminal);
    kill(stopped, SIGSTOP);
    await_state(stopped, 'T'), await_state(reader, 'T');
    EXPECT_EQ(waitpid(stopped, NULL, WUNTRACED), stopped);
  }
  snprintf(name, sizeof name, "shell-%c", 'A' + i);
  live(name);
}

static void start_shell(int i) {
  EXPECT_EQ(openpty(&master[i], &slave[i], NULL, NULL, NULL), 0);
  struct stat st;
  EXPECT_EQ(fstat(slave[i], &st), 0);
  atomic_store(&shared->terminal[i], first_number[i] = (int)st.st_rdev);
  if (fork() == 0) shell(i);
  tree_await(i ? "shell-B" : "shell-A");
}

static void make_orphan(const char *name, int session) {
  pid_t between = fork();
  if (between == 0) {
    if (session) setsid();
    pid_t own = getpid();
    if (fork() == 0) {
      while (getppid() == own) sleep_ms(1);
      live(name);
    }
    _exit(0);
  }
  EXPECT_EQ(waitpid(between, NULL, 0), between);
  tree_await(name);
}

static void reap_others(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  make_orphan("adopted", 0);
  make_orphan("adopted-daemon", 1);
  pid_t ended = start_silent("zombie-below", -1, end_at_once);
  await_state(ended, 'Z');
  live("subreaper");
}

static void *stay(void *unused) {
  pause_for_ever();
  return unused;
}
static void have_threads(void) {
  for (int i = 0; i < 3; ++i) start_thread(stay, NULL);
  setpriority(PRIO_PROCESS, 0, 3);
  live("threads");
}

static void make_zombies(void) {
  const struct {
    const char *name;
    pid_t group;
    void (*run)(void);
  } kinds[] = {{"zombie-exit", -1, end_at_once}, {"zombie-signal", -1, die_by_signal}, {"zombie-core", -1, dump_core}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    await_state(start_silent(kinds[i].name, kinds[i].group, kinds[i].run), 'Z');
  pid_t leader = start_silent("zombie-leader", 0, pause_for_ever);
  start("of-zombie-group", leader);
  kill(leader, SIGKILL);
  await_state(leader, 'Z');
}

static void make_leaderless_group(void) {
  pid_t leader = fork();
  if (leader == 0) pause_for_ever();
  setpgid(leader, leader);
  start("leaderless-1", leader);
  start("leaderless-2", leader);
  kill(leader, SIGKILL);
  EXPECT_EQ(waitpid(leader, NULL, 0), leader);
}

static void await_looks(void) {
  char file[80];
  put_file("all-there", "");
  DIR *d = opendir(directory);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strncmp(e->d_name, "known.", 6) || !strcmp(e->d_name, "known.first")) continue;
    snprintf(file, sizeof file, "looked.%.60s", e->d_name + 6);
    WAIT_FOR(have_file(file));
  }
  if (d) closedir(d);
}

static void setup(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(chdir(directory), 0);
  tree_enter("first");
  enlist("first", getpid());
  int other = open("/dev/ptmx", O_RDWR | O_NOCTTY);  // so that the lowest number is free at the restart
  start_shell(0);
  start_shell(1);
  close(other);
  make_orphan("orphan", 0);
  make_orphan("daemon", 1);
  if (fork() == 0) reap_others();
  tree_await("subreaper");
  if (fork() == 0) have_threads();
  tree_await("threads");
  make_zombies();
  make_leaderless_group();
  await_looks();
  look_first();
}

static void name_terminals(void) {
  for (int i = 0; i < kTerminals; ++i) {
    struct stat st;
    EXPECT_EQ(fstat(slave[i], &st), 0);
    EXPECT_EQ(ioctl(slave[i], TIOCGWINSZ, &(struct winsize){0}), 0);
    atomic_store(&shared->terminal[i], (int)st.st_rdev);
    if (have_file("own-terminals")) EXPECT_EQ((int)st.st_rdev, first_number[i]);
  }
}

/// Those that were stopped stop again when the others run already; only their parent waits for it.
static void await_stopped(void) {
  for (int i = 0; i < atomic_load(&shared->count); ++i)
    if (!strcmp(shared->all[i].name, "stopped") || !strcmp(shared->all[i].name, "reader")) await_state(shared->all[i].pid, 'T');
}

static void verify(void) {
  name_terminals();
  await_stopped();
  tree_ask_all();
  look_again();
}
