// Sessions and process groups: a leader with members and with a group in its session, a leader whose child was born before it
// left the old session, a group whose leader has ended, and one whose leader has moved to another group.
// mig-test: generations=3
#include "tree.h"

static void lead_session(void) {
  setsid();
  if (fork() == 0) tree_member("in-session", NULL);
  if (fork() == 0) {
    setpgid(0, 0);
    if (fork() == 0) tree_member("in-group-of-session", NULL);
    tree_member("group-in-session", NULL);
  }
  tree_member("session", NULL);
}

static void leave_session(void) {
  if (fork() == 0) {
    if (fork() == 0) {
      setsid();
      tree_member("leader-of-old", NULL);
    }
    tree_member("of-old-session", NULL);
  }
  tree_await("of-old-session");
  tree_await("leader-of-old");
  setsid();
  if (fork() == 0) tree_member("of-new-session", NULL);
  tree_member("left-session", NULL);
}

static pid_t start_in_group(const char *name, pid_t group) {
  pid_t child = fork();
  if (child == 0) {
    EXPECT_EQ(setpgid(0, group), 0);
    tree_member(name, NULL);
  }
  tree_await(name);
  return child;
}

static void make_leaderless_group(void) {
  pid_t leader = fork();
  if (leader == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(leader, leader);
  start_in_group("leaderless-1", leader);
  start_in_group("leaderless-2", leader);
  EXPECT_EQ(kill(leader, SIGKILL), 0);
  EXPECT_EQ(waitpid(leader, NULL, 0), leader);
}

/// The first leads a group, in which the second is; then it goes to the third's.
static void move_leader(void) {
  pid_t second, third;
  if (fork() == 0) {
    setpgid(0, 0);
    second = start_in_group("follower", getpid());
    third = start_in_group("other-leader", 0);
    EXPECT_EQ(setpgid(0, third), 0);
    EXPECT(second > 0);
    tree_member("moved-leader", NULL);
  }
  tree_await("moved-leader");
}

static void setup(void) {
  tree_enter("first");
  if (fork() == 0) lead_session();
  if (fork() == 0) leave_session();
  make_leaderless_group();
  move_leader();
  const char *all[] = {"in-session", "group-in-session", "in-group-of-session", "session", "of-new-session", "left-session"};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) tree_await(all[i]);
}

static void verify(void) {
  tree_ask_all();
  struct numbers member = tree_known("in-session"), leader = tree_known("session");
  EXPECT_EQ(member.sid, leader.pid);
  EXPECT_EQ(kill(-tree_known("leaderless-1").pgid, 0), 0);
}
