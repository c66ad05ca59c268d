#include "restore/lineage.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <initializer_list>

#include "image/base/file.h"
#include "restore/failure.h"

namespace mig {
namespace {

int32_t own(int number) {
  return static_cast<int32_t>(sys(number, 0));
}

/// A restart in the foreground of a terminal stays where it is: on its own it would be in the background.
bool is_in_foreground() {
  ScopedFd terminal(open_path("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK));
  int32_t group = 0;
  return terminal.ok() && sys(__NR_ioctl, terminal.get(), TIOCGPGRP, &group) == 0 && group == own(__NR_getpgid);
}

class Planner {
 public:
  Planner(const Plan& plan, Lineage& lineage) : plan_(plan), all_(lineage) {}

  void run() {
    reserve();
    for (size_t i = 0; i < plan_.processes.size(); ++i) add_member(plan_.processes[i]);
    for (size_t i = 0; i < plan_.processes.size(); ++i) add_zombies(static_cast<int32_t>(i));
    place_first();
    find_sessions_of_birth();
    for (bool orphans : {false, true})
      for (int32_t i = 1, n = all_.size(); i < n; ++i)
        if ((all_[i].parent < 0) == orphans) find_creator(i);
    find_group_founders();
    for (int32_t i = all_.size() - 1; i > 0; --i) link(i);
    for (int32_t i = 1; i < all_.size(); ++i) check_descent(i);
  }

 private:
  /// Nobody needs more than two helpers. References to births stay valid.
  void reserve() {
    size_t n = plan_.processes.size();
    for (const PlannedProcess& p : plan_.processes) p.each_zombie([&](const ChildRecord&) { ++n; });
    all_.births.reserve(3 * n);
  }

  Birth& add(Role role) {
    Birth* b = all_.births.add();
    b->role = role;
    b->exit_signal = SIGCHLD;
    b->parent = b->creator = b->first_created = b->next_created = -1;
    return *b;
  }

  void add_member(const PlannedProcess& p) {
    Birth& b = add(Role::kMember);
    b.vpid = p.record.vpid, b.vpgid = p.record.vpgid, b.vsid = p.record.vsid;
    b.parent = p.parent;
    b.subreaper = p.record.child_subreaper;
    b.terminal = p.record.terminal;
    set_signal(b, p.record.exit_signal);
  }

  void add_zombies(int32_t parent) {
    plan_.processes[static_cast<size_t>(parent)].each_zombie([&](const ChildRecord& c) {
      Birth& b = add(Role::kZombie);
      b.vpid = c.vpid, b.vpgid = c.vpgid, b.vsid = c.vsid;
      b.parent = parent;
      b.status = c.status;
      __builtin_memcpy(b.name, c.name, sizeof b.name);
      set_signal(b, c.exit_signal);
    });
  }

  static void set_signal(Birth& b, int32_t recorded) {
    if (recorded) b.exit_signal = recorded > 0 ? recorded : 0;
  }

  /// A first process that led its group or session does so again where it can; else those of the restart stand for them.
  void place_first() {
    Birth& first = all_[0];
    auto pid = static_cast<int32_t>(sys(__NR_getpid));
    int32_t group = own(__NR_getpgid), session = own(__NR_getsid);
    bool stays = is_in_foreground();
    can_found_ = first.vsid == first.vpid && session != pid && group != pid && !stays;
    bool leads = first.vsid == first.vpid && (session == pid || can_found_);
    if (!leads) all_.session = {first.vsid, session};
    if (!leads && !(first.vpgid == first.vpid && (group == pid || !stays))) all_.group = {first.vpgid, group};
  }

  bool is_below(int32_t i, int32_t ancestor) {
    while (i >= 0 && i != ancestor) i = all_[i].parent;
    return i >= 0;
  }

  /// What a leader's children have of an older session tells which one it was born in.
  void find_sessions_of_birth() {
    for (int32_t i = 0; i < all_.size(); ++i)
      if (!all_.leads_session(i)) all_[i].session = all_[i].vsid;
    for (bool changed = true; changed;) {
      changed = false;
      for (int32_t i = 1; i < all_.size(); ++i) {
        int32_t parent = all_[i].parent, session = all_[i].session;
        if (parent < 0 || !session || !may_be_born_in(parent, session)) continue;
        all_[parent].session = session;
        changed = true;
      }
    }
    if (can_found_ && all_[0].session) all_.session = {all_[0].session, own(__NR_getsid)};
  }

  bool may_be_born_in(int32_t i, int32_t session) {
    if (!all_.leads_session(i) || all_[i].session || all_[i].vpid == session) return false;
    if (i == 0 && !can_found_) return false;
    int32_t leader = all_.find(session);
    return leader < 0 || (i > 0 && is_below(i, leader));
  }

  void find_creator(int32_t i) {
    Birth& b = all_[i];
    if (b.parent >= 0) {
      Birth& parent = all_[b.parent];
      bool leads = all_.leads_session(b.parent);
      b.creator = b.parent;
      if (!b.session || b.session == parent.vsid) return;
      b.early = leads && b.session == parent.session;
      if (b.early) return;
    }
    b.creator = all_.find(b.session ? b.session : all_[0].vpid);
    if (b.creator < 0 && b.session == all_.session.virtual_number) {
      b.creator = 0;
      b.early = all_.leads_session(0) && can_found_;
    }
    if (b.creator < 0) b.creator = add_helper(b.session, b.session, b.parent >= 0 ? b.parent : 0, b.exit_signal);
    set_way(i);
  }

  int32_t add_helper(int32_t number, int32_t session, int32_t creator, int32_t exit_signal) {
    Birth& h = add(Role::kHelper);
    h.vpid = h.vpgid = number;
    h.vsid = session;
    h.exit_signal = exit_signal;
    h.parent = h.creator = creator;
    return all_.size() - 1;
  }

  /// A brother has its creator's exit signal; an orphan has SIGCHLD, whatever it had before.
  void set_way(int32_t i) {
    Birth &b = all_[i], &creator = all_[b.creator];
    b.way = Way::kOrphan;
    if (b.parent < 0 || creator.parent != b.parent) return check_adoption(b);
    if (creator.exit_signal == b.exit_signal) b.way = Way::kSibling;
    else check_adoption(b);
  }

  [[noreturn]] void refuse(const Birth& b) {
    char object[64];
    Text(object) << "process " << b.vpid;
    give_up(Error::kResourceFailed, object, "it is in a session that no ancestor of it was ever in");
  }

  void check_adoption(const Birth& b) {
    if (b.parent >= 0 && !(all_[b.parent].subreaper && is_below(b.creator, b.parent))) refuse(b);
  }

  void check_descent(int32_t i) {
    int32_t at = i, steps = 0;
    while (at > 0 && steps++ < all_.size()) at = all_[at].creator;
    if (at) refuse(all_[i]);
  }

  void find_group_founders() {
    for (int32_t i = 0; i < all_.size(); ++i) {
      int32_t group = all_[i].vpgid;
      if (group == all_.group.virtual_number) continue;
      int32_t founder = all_.find(group);
      if (founder < 0) founder = add_helper(group, all_[i].vsid, i, 0);
      all_[founder].founds_group = true;
    }
  }

  void link(int32_t i) {
    Birth& creator = all_[all_[i].creator];
    all_[i].next_created = creator.first_created;
    creator.first_created = i;
  }

  const Plan& plan_;
  Lineage& all_;
  bool can_found_ = false;  ///< the first process can become a session leader
};

}  // namespace

int32_t Lineage::find(int32_t vpid) {
  for (int32_t i = 0; i < size(); ++i)
    if ((*this)[i].vpid == vpid) return i;
  return -1;
}

void plan_births(const Plan& plan, Lineage& lineage) {
  Planner(plan, lineage).run();
}

}  // namespace mig
