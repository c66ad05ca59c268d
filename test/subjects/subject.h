// What every subject shares. A subject is a small program that holds one resource: `setup` makes it, `verify`
// looks after each restart whether it is as before (and may change it for the next generation).
//
// The talk with the runner goes through files in the directory argv[1], because they need nothing but a path:
// the subject writes ready.G when the resource stands, waits until check.G appears, verifies, and writes "ok",
// "fail: ..." or "skip: ..." to result.G. A file named `end` ends it. The waiting is nanosleep and access only.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef __cplusplus
#include <atomic>
using std::atomic_int;
#else
#include <stdatomic.h>
#endif

static void setup(void);
static void verify(void);

static const char* directory;  // of this subject: absolute, its own
static int generation;         // checks so far: 0 in setup and in the first verify
static atomic_int failed_once;
static char failure[1024];

/// Records a failure; the first one is reported.
__attribute__((format(printf, 1, 2), unused)) static void fail(const char* format, ...) {
  if (atomic_exchange(&failed_once, 1)) return;
  va_list args;
  va_start(args, format);
  strcpy(failure, "fail: ");
  vsnprintf(failure + 6, sizeof failure - 6, format, args);
  va_end(args);
}

#define EXPECT(condition)                                                                             \
  do {                                                                                                \
    if (!(condition)) fail("%s:%d: %s (errno: %s)", __FILE__, __LINE__, #condition, strerror(errno)); \
  } while (0)
#define EXPECT_EQ(a, b)                                                                                                 \
  do {                                                                                                                  \
    long a_ = (long)(a), b_ = (long)(b);                                                                                \
    if (a_ != b_) fail("%s:%d: %s is %ld, %s is %ld (errno: %s)", __FILE__, __LINE__, #a, a_, #b, b_, strerror(errno)); \
  } while (0)
#define EXPECT_STR(a, b)                                                                         \
  do {                                                                                           \
    const char *a_ = (a), *b_ = (b);                                                             \
    if (strcmp(a_, b_)) fail("%s:%d: %s is \"%s\", not \"%s\"", __FILE__, __LINE__, #a, a_, b_); \
  } while (0)

static void put_file(const char* name, const char* text) {
  char from[4200], to[4200];
  snprintf(from, sizeof from, "%s/.%s", directory, name);
  snprintf(to, sizeof to, "%s/%s", directory, name);
  int fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) || rename(from, to)) {
    perror(to);
    _exit(9);
  }
}

static int have_file(const char* name) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return access(path, F_OK) == 0;
}

/// A path inside the subject's directory.
__attribute__((unused)) static const char* in_directory(const char* name) {
  static __thread char path[4200];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&t, &t) && errno == EINTR) {
  }
}

__attribute__((unused)) static int64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/// The number of the system call that a thread of this process is in; -1: none, or no such thread.
__attribute__((unused)) static int call_of(pid_t tid) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  int fd = tid ? open(path, O_RDONLY | O_CLOEXEC) : -1, number = -1;
  if (fd >= 0 && read(fd, text, sizeof text - 1) > 0) number = atoi(text);
  if (fd >= 0) close(fd);
  return number;
}

/// Waits up to ten seconds for a condition that another thread makes true.
#define WAIT_FOR(condition)                            \
  do {                                                 \
    int ms_ = 0;                                       \
    while (!(condition) && ms_++ < 10000) sleep_ms(1); \
    EXPECT(condition);                                 \
  } while (0)

/// The kernel or the machine does not have it: the test is skipped, with the reason.
__attribute__((format(printf, 1, 2), unused, noreturn)) static void skip(const char* format, ...) {
  va_list args;
  va_start(args, format);
  strcpy(failure, "skip: ");
  vsnprintf(failure + 6, sizeof failure - 6, format, args);
  va_end(args);
  put_file("result.0", failure);
  put_file("ready.0", "");
  _exit(0);
}

__attribute__((unused)) static pthread_t start_thread(void* (*run)(void*), void* argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, argument);
  if (error) fail("pthread_create: %s", strerror(error));
  return thread;
}

/// Fills memory with bytes that depend on the seed, and tells the offset of the first wrong one (-1: none).
__attribute__((unused)) static void fill(void* memory, size_t size, unsigned seed) {
  unsigned char* p = (unsigned char*)memory;
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < size; ++i) p[i] = (x = x * 6364136223846793005u + 1442695040888963407u) >> 56;
}
__attribute__((unused)) static long first_wrong(const void* memory, size_t size, unsigned seed) {
  const unsigned char* p = (const unsigned char*)memory;
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < size; ++i)
    if (p[i] != (unsigned char)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56)) return (long)i;
  return -1;
}

/// The value behind "Name:" in /proc/self/status and files like it.
__attribute__((unused)) static const char* field_of(const char* path, const char* name) {
  static __thread char line[4096];
  FILE* f = fopen(path, "re");
  size_t n = strlen(name);
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, name, n) && line[n] == ':') {
      fclose(f);
      line[strcspn(line, "\n")] = 0;
      return line + n + 1 + strspn(line + n + 1, " \t");
    }
  if (f) fclose(f);
  return "";
}

/// The value of a field of the mapping that holds the address, from /proc/self/smaps.
__attribute__((unused)) static const char* smaps_field(const void* address, const char* name) {
  static __thread char line[4096];
  FILE* f = fopen("/proc/self/smaps", "re");
  size_t n = strlen(name);
  int inside = 0;
  while (f && fgets(line, sizeof line, f)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < strchr(line, ' '))
      inside = (unsigned long)address >= from && (unsigned long)address < to;
    else if (inside && !strncmp(line, name, n) && line[n] == ':') {
      fclose(f);
      line[strcspn(line, "\n")] = 0;
      return line + n + 1 + strspn(line + n + 1, " \t");
    }
  }
  if (f) fclose(f);
  return "";
}

static char** arguments;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  directory = argv[1];
  arguments = argv;
  setup();
  if (failed_once) {
    put_file("result.0", failure);
    put_file("ready.0", "");
    return 1;
  }
  for (;; ++generation) {
    char name[32];
    snprintf(name, sizeof name, "ready.%d", generation);
    put_file(name, "");
    snprintf(name, sizeof name, "check.%d", generation);
    while (!have_file(name)) {
      if (have_file("end")) return 0;
      sleep_ms(2);
    }
    verify();
    snprintf(name, sizeof name, "result.%d", generation);
    put_file(name, failed_once ? failure : "ok");
    if (failed_once) return 1;
  }
}
