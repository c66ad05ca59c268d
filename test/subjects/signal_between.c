// Signals that two processes exchange all the time: each arrives once, real-time ones in order, with the right siginfo. Sent by sigqueue,
// tgkill, pthread_sigqueue and kill; taken by sigwaitinfo, by handlers and by a signalfd.
// mig-test: generations=3 timeout=120 shaken
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "tree.h"

enum { kQueued, kHandled, kThread, kDirected, kRead, kFlows, kWindow = 64, kProgress = 3000 };
struct Shared {
  atomic_long sent[kFlows], taken[kFlows];
  atomic_int wrong;
  char sentence[512];
  pid_t first, second, directed;
};
static struct Shared *shared;

static int number(int flow) {
  return SIGRTMIN + 1 + flow;
}

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
  if (atomic_exchange(&shared->wrong, 1)) return;
  va_list args;
  va_start(args, format);
  vsnprintf(shared->sentence, sizeof shared->sentence, format, args);
  va_end(args);
}

static void take(int flow, int code, pid_t sender, int expected_code, pid_t expected_sender, long value) {
  long n = atomic_fetch_add(&shared->taken[flow], 1);
  if (code != expected_code) complain("flow %d, signal %ld: si_code is %d, not %d", flow, n, code, expected_code);
  if (sender != expected_sender) complain("flow %d, signal %ld: si_pid is %d, not %d", flow, n, sender, expected_sender);
  if (value >= 0 && value != n) complain("flow %d: value %ld came where %ld should", flow, value, n);
}

static void handle(int signal, siginfo_t *info, void *unused) {
  (void)unused;
  int flow = signal - number(0);
  take(flow, info->si_code, info->si_pid, SI_QUEUE, shared->second, info->si_value.sival_int);
}

static void block(int from, int to, int how) {
  sigset_t set;
  sigemptyset(&set);
  for (int flow = from; flow <= to; ++flow) sigaddset(&set, number(flow));
  pthread_sigmask(how, &set, NULL);
}

static void *wait_for_queued(void *of) {
  int flow = (int)(long)of;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number(flow));
  if (flow == kDirected) {
    shared->directed = gettid();
    block(kThread, kThread, SIG_UNBLOCK);
  }
  for (siginfo_t info;;) {
    if (sigwaitinfo(&set, &info) != number(flow)) {
      if (errno != EINTR || flow != kDirected) complain("flow %d: sigwaitinfo failed with %s", flow, strerror(errno));
      continue;
    }
    if (flow == kQueued) take(flow, info.si_code, info.si_pid, SI_QUEUE, shared->first, info.si_value.sival_int);
    else take(flow, info.si_code, info.si_pid, SI_USER, shared->first, -1);  // SI_TKILL as glibc tells it
  }
}

static void *read_signals(void *unused) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number(kRead));
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  for (struct signalfd_siginfo info;;) {
    if (read(fd, &info, sizeof info) != sizeof info) complain("reading the signalfd failed with %s", strerror(errno));
    else take(kRead, info.ssi_code, (pid_t)info.ssi_pid, SI_USER, shared->first, -1);
  }
  return unused;
}

static pthread_t handler_thread;

static long send_one(int flow, long n) {
  union sigval value = {.sival_int = (int)n};
  switch (flow) {
    case kQueued: return sigqueue(shared->second, number(flow), value);
    case kHandled: return sigqueue(shared->first, number(flow), value);
    case kThread: return (errno = pthread_sigqueue(handler_thread, number(flow), value)) ? -1 : 0;
    case kDirected: return tgkill(shared->second, shared->directed, number(flow));
    default: return kill(shared->second, number(flow));
  }
}

static void *send_all(void *of) {
  int flow = (int)(long)of;
  for (long n = 0;;) {
    while (n - atomic_load(&shared->taken[flow]) >= kWindow && !access(directory, F_OK)) sleep_ms(1);
    if (access(directory, F_OK)) _exit(0);
    if (send_one(flow, n) == 0) atomic_store(&shared->sent[flow], ++n);
    else if (errno == EAGAIN) sleep_ms(1);
    else complain("flow %d: sending failed with %s", flow, strerror(errno)), sleep_ms(10);
  }
  return NULL;
}

static void run_second(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  start_thread(wait_for_queued, (void *)kQueued);
  handler_thread = start_thread(wait_for_queued, (void *)kDirected);
  start_thread(read_signals, NULL);
  while (!shared->directed) sleep_ms(1);
  start_thread(send_all, (void *)kHandled);
  start_thread(send_all, (void *)kThread);
  while (!have_file("end")) sleep_ms(5);
  _exit(0);
}

static void setup(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(number(kHandled), &action, NULL);
  action.sa_flags = SA_SIGINFO;
  sigaction(number(kThread), &action, NULL);
  block(0, kFlows - 1, SIG_BLOCK);
  shared->first = getpid();
  pid_t child = fork();
  shared->second = child ? child : getpid();
  if (child == 0) run_second();
  WAIT_FOR(shared->directed);
  start_thread(send_all, (void *)kQueued);
  start_thread(send_all, (void *)kDirected);
  start_thread(send_all, (void *)kRead);
  block(kHandled, kHandled, SIG_UNBLOCK);
}

static void verify(void) {
  for (int flow = 0; flow < kFlows; ++flow) {
    long goal = atomic_load(&shared->taken[flow]) + kProgress;
    for (int ms = 0; ms < 60000 && atomic_load(&shared->taken[flow]) < goal && !shared->wrong; ++ms) sleep_ms(1);
    if (atomic_load(&shared->taken[flow]) < goal)
      fail("flow %d stands still: %ld sent, %ld taken", flow, atomic_load(&shared->sent[flow]), atomic_load(&shared->taken[flow]));
  }
  if (!atomic_load(&shared->wrong)) return;
  failed_once = 0;
  fail("%s", shared->sentence);
}
