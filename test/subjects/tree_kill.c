// Signals to process groups and to everybody: kill(0), kill(-GROUP) and killpg reach exactly the group's members, once each and
// with the sender's number, also where the group's leader has ended, or leads a session. kill(-1) reaches everybody but the
// sender; it is tried where a file `own-processes` says that there is nobody else to be hit.
// mig-test: generations=3
#include <sys/syscall.h>

#include "members.h"

enum { kLeader, kInGroup, kInGroupToo, kLeaderless, kLeaderlessToo, kSession, kNeighbour, kFirst, kProcesses };
enum { kNothing, kSendToOwn, kSendToGroup, kSendByNumber, kSendToAll, kFoundSession };
struct Received {
  atomic_int count, sender, code;
};
static struct {
  struct Received of[kProcesses];
  pid_t target;
} * shared;
static int self = kFirst;
static pid_t leaderless;

static void on_signal(int signal, siginfo_t *info, void *unused) {
  (void)signal, (void)unused;
  struct Received *r = &shared->of[self];
  atomic_store(&r->sender, info->si_pid);
  atomic_store(&r->code, info->si_code);
  atomic_fetch_add(&r->count, 1);
}

static void act(int what) {
  switch (what) {
    case kSendToOwn: EXPECT_EQ(kill(0, SIGURG), 0); break;
    case kSendToGroup: EXPECT_EQ(killpg(shared->target, SIGURG), 0); break;
    case kSendByNumber: EXPECT_EQ(syscall(SYS_kill, -shared->target, SIGURG), 0); break;
    case kSendToAll: EXPECT_EQ(kill(-1, SIGURG), 0); break;
    case kFoundSession: EXPECT_EQ(setsid(), getpid()); break;
    default: break;
  }
}

static void serve(int order) {
  act(order % 100);
}

static void start_one(int index) {
  self = index;
  start_member(index, serve);
  self = kFirst;
}

static pid_t pid_of(int index) {
  return index == kFirst ? getpid() : members[index].pid;
}

static void make_leaderless(void) {
  leaderless = fork();
  if (leaderless == 0)
    for (;;) pause();
  EXPECT_EQ(setpgid(leaderless, leaderless), 0);
  for (int i = kLeaderless; i <= kLeaderlessToo; ++i) EXPECT_EQ(setpgid(pid_of(i), leaderless), 0);
  kill(leaderless, SIGKILL);
  EXPECT_EQ(waitpid(leaderless, NULL, 0), leaderless);
}

static void setup(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGURG, &action, NULL);
  for (int i = 0; i < kFirst; ++i) start_one(i);
  for (int i = kLeader; i <= kInGroupToo; ++i) EXPECT_EQ(setpgid(pid_of(i), pid_of(kLeader)), 0);
  make_leaderless();
  ask_member(kSession, kFoundSession);
}

/// What is sent is in everybody's queue when kill returns, and is taken before the next order is served.
static void settle(void) {
  for (int i = 0; i < kFirst; ++i) ask_member(i, kNothing);
}

static void send_from(int sender, int what, pid_t target, unsigned receivers) {
  int before[kProcesses];
  settle();
  for (int i = 0; i < kProcesses; ++i) before[i] = atomic_load(&shared->of[i].count);
  shared->target = target;
  if (sender == kFirst) act(what);
  else ask_member(sender, what);
  settle();
  for (int i = 0; i < kProcesses; ++i) {
    struct Received *r = &shared->of[i];
    int expected = receivers >> i & 1, got = atomic_load(&r->count) - before[i];
    if (got != expected) fail("kill %d by %d: %d got %d signals, not %d", what, sender, i, got, expected);
    if (expected && (atomic_load(&r->sender) != pid_of(sender) || atomic_load(&r->code) != SI_USER))
      fail("kill %d by %d: %d was told of %d (code %d), not %d", what, sender, i, r->sender, r->code, pid_of(sender));
  }
}

static void verify(void) {
  const unsigned group = 1u << kLeader | 1u << kInGroup | 1u << kInGroupToo,
                 without_leader = 1u << kLeaderless | 1u << kLeaderlessToo;
  const unsigned all = (1u << kProcesses) - 1;
  send_from(kInGroup, kSendToOwn, 0, group);
  send_from(kNeighbour, kSendToGroup, pid_of(kLeader), group);
  send_from(kFirst, kSendByNumber, pid_of(kLeader), group);
  send_from(kFirst, kSendToGroup, leaderless, without_leader);
  send_from(kLeaderless, kSendToOwn, 0, without_leader);
  send_from(kLeader, kSendByNumber, pid_of(kSession), 1u << kSession);
  send_from(kSession, kSendToOwn, 0, 1u << kSession);
  send_from(kNeighbour, kSendToOwn, 0, 1u << kNeighbour | 1u << kFirst);
  send_from(kFirst, kSendToGroup, getpgrp(), 1u << kNeighbour | 1u << kFirst);
  EXPECT(kill(-pid_of(kInGroup), SIGURG) == -1 && errno == ESRCH);
  if (!have_file("own-processes")) return;
  send_from(kFirst, kSendToAll, 0, all & ~(1u << kFirst));
  send_from(kLeaderless, kSendToAll, 0, all & ~(1u << kLeaderless));
}
