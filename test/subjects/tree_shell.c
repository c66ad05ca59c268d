// system and popen that are under way through restarts: the statuses of their shells, what streams read and write, fclose and pclose,
// a system that is cancelled, and which descriptors a shell gets.
// mig-test: generations=3
#include <sys/wait.h>

#include "tree.h"

static pthread_t in_system;
static FILE *lines, *sink;
static atomic_int status_of_system = -1;

/// A command that goes on when the file is there, or when the subject is gone.
static const char *until(const char *file, const char *then) {
  static __thread char text[9000];
  snprintf(text, sizeof text, "while [ -e %s ] && [ ! -e %s/%s ]; do sleep 0.02; done; %s", directory, directory, file, then);
  return text;
}
static const char *turn(const char *what, int g) {
  static __thread char name[32];
  snprintf(name, sizeof name, "%s.%d", what, g);
  return name;
}

static void *run_system(void *g) {
  status_of_system = -1;
  status_of_system = system(until(turn("system", (int)(long)g), "exit 7"));
  return NULL;
}
static void *run_cancelled(void *unused) {
  system(until("never", "exit 0"));
  return NULL;
}

static int has_child(void) {
  siginfo_t i = {0};
  return waitid(P_ALL, 0, &i, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void begin(int g) {
  char command[9000];
  in_system = start_thread(run_system, (void *)(long)g);
  snprintf(command, sizeof command, "echo one; %s", until(turn("lines", g), "echo two; echo three; exit 5"));
  lines = popen(command, "r");
  EXPECT(lines != NULL);
  char text[64] = "";
  EXPECT(lines && fgets(text, sizeof text, lines));
  EXPECT_STR(text, "one\n");
  snprintf(command, sizeof command, "cat > %s/sink.%d; exit 3", directory, g);
  sink = popen(command, "we");
  EXPECT(sink && fprintf(sink, "before ") == 7 && fflush(sink) == 0);
  EXPECT(sink && (fcntl(fileno(sink), F_GETFD) & FD_CLOEXEC));
  EXPECT(lines && !(fcntl(fileno(lines), F_GETFD) & FD_CLOEXEC));
}

static void end_system(int g) {
  EXPECT_EQ(status_of_system, -1);
  put_file(turn("system", g), "");
  pthread_join(in_system, NULL);
  EXPECT(WIFEXITED(status_of_system) && WEXITSTATUS(status_of_system) == 7);
}

static void end_streams(int g) {
  char text[64] = "";
  put_file(turn("lines", g), "");
  EXPECT(fgets(text, sizeof text, lines));
  EXPECT_STR(text, "two\n");
  EXPECT(fgets(text, sizeof text, lines));
  EXPECT_STR(text, "three\n");
  EXPECT(!fgets(text, sizeof text, lines));
  EXPECT_EQ(g % 2 ? fclose(lines) : pclose(lines), 5 << 8);
  EXPECT_EQ(fprintf(sink, "behind"), 6);
  EXPECT_EQ(pclose(sink), 3 << 8);
  EXPECT(tree_read(turn("sink", g), text, sizeof text));
  EXPECT_STR(text, "before behind");
}

/// What needs no restart.
static void look(void) {
  errno = 0;
  EXPECT(!popen("exit 0", "rw") && errno == EINVAL);
  EXPECT(!popen("exit 0", "x") && errno == EINVAL);
  EXPECT(system(NULL) != 0);
  EXPECT_EQ(system("kill -9 $$"), 9);
  int (*volatile close_any)(FILE *) = pclose;
  EXPECT_EQ(close_any(tmpfile()), 0);
  char command[64];
  snprintf(command, sizeof command, "[ ! -e /proc/self/fd/%d ]", fileno(sink));
  fcntl(fileno(sink), F_SETFD, 0);
  FILE *blind = popen(command, "r");
  EXPECT(blind && pclose(blind) == 0);
  EXPECT(system(command) != 0);
  fcntl(fileno(sink), F_SETFD, FD_CLOEXEC);
  pthread_t cancelled = start_thread(run_cancelled, NULL);
  struct sigaction now;
  WAIT_FOR(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
  sleep_ms(20);
  pthread_cancel(cancelled);
  void *result = NULL;
  pthread_join(cancelled, &result);
  EXPECT(result == PTHREAD_CANCELED);
}

static void setup(void) {
  signal(SIGPIPE, SIG_IGN);
  begin(-1);
}

static void verify(void) {
  look();
  end_system(generation - 1);
  end_streams(generation - 1);
  struct sigaction now;
  EXPECT(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
  EXPECT(!has_child());
  begin(generation);
}
