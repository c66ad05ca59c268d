#include "restore/sharing.h"

#include <sched.h>
#include <signal.h>

#include <initializer_list>

#include "image/base/file.h"
#include "image/base/procfs.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

using Part = int32_t Tables::*;
constexpr Part kParts[] = {&Tables::files, &Tables::directory};

Tables own{-1, -1}, first{-1, -1};
int32_t self;
HomeArray<int> known;  ///< descriptors from before the first birth

[[noreturn]] void refuse(const Birth& b) {
  char object[64];
  Text(object) << "process " << b.vpid;
  give_up(Error::kResourceFailed, object,
          "what it shares with others (clone) cannot be given to it together with what its parent shares");
}

class Planner {
 public:
  Planner(const Plan& plan, Lineage& all, Part part) : plan_(plan), all_(all), part_(part) {}

  void find_groups() {
    for (int32_t i = 0; i < all_.size(); ++i) all_[i].own.*part_ = all_[i].at_birth.*part_ = -1;
    for (size_t i = 0; i < plan_.processes.size(); ++i) join(static_cast<int32_t>(i), keeper_of(plan_.processes[i].record));
  }

  /// Everybody on the ways between the members of a group is born with its table.
  void find_ways() {
    for (int32_t g = 0; g < all_.size(); ++g)
      if (all_[g].own.*part_ == g) find_ways_of(g);
  }

  void check(int32_t i) {
    int32_t now = all_[i].at_birth.*part_;
    for (bool early : {true, false})
      for (int32_t c = all_[i].first_created; c >= 0; c = all_[c].next_created) {
        int32_t wanted = all_[c].at_birth.*part_;
        if (all_[c].early != early || wanted < 0 || wanted == now) continue;
        if (now >= 0 && is_needed_after(i, c, now)) refuse(all_[i]);
        now = wanted;
      }
    if (all_[i].own.*part_ >= 0 && all_[i].own.*part_ != now) refuse(all_[i]);
  }

 private:
  int32_t keeper_of(const ProcessRecord& p) const {
    int32_t vpid = part_ == &Tables::files ? p.files_vpid : p.directory_vpid;
    return vpid ? all_.find(vpid) : -1;
  }
  void join(int32_t i, int32_t keeper) {
    if (keeper < 0) return;
    all_[i].own.*part_ = all_[keeper].own.*part_ = keeper;
  }
  void find_ways_of(int32_t group) {
    HomeArray<int32_t> through;
    int32_t members = 0;
    through.add(static_cast<size_t>(all_.size()));
    for (int32_t m = 0; m < all_.size(); ++m) {
      if (all_[m].own.*part_ != group) continue;
      ++members;
      for (int32_t at = m; at > 0; at = all_[at].creator) ++through[static_cast<size_t>(at)];
    }
    for (int32_t i = 1; i < all_.size(); ++i) {
      int32_t n = through[static_cast<size_t>(i)];
      if (n == 0 || n == members) continue;
      if (all_[i].at_birth.*part_ >= 0) refuse(all_[i]);
      all_[i].at_birth.*part_ = group;
    }
  }
  bool is_needed_after(int32_t i, int32_t child, int32_t group) const {
    if (all_[i].own.*part_ == group) return true;
    bool early = all_[child].early;
    for (int32_t c = all_[child].next_created; c >= 0; c = all_[c].next_created)
      if (all_[c].early == early && all_[c].at_birth.*part_ == group) return true;
    for (int32_t c = all_[i].first_created; early && c >= 0; c = all_[c].next_created)
      if (!all_[c].early && all_[c].at_birth.*part_ == group) return true;
    return false;
  }

  const Plan& plan_;
  Lineage& all_;
  Part part_;
};

/// First those who share what their creator was born with, last those who share what it keeps.
int rank(const Birth& creator, const Birth& child) {
  int sum = 0;
  for (Part part : kParts) {
    int32_t wanted = child.at_birth.*part;
    sum *= 4;
    if (wanted >= 0 && wanted == creator.at_birth.*part) continue;
    sum += wanted < 0 ? 1 : wanted == creator.own.*part ? 3 : 2;
  }
  return sum;
}

void sort_children(Lineage& all, int32_t creator) {
  int32_t sorted = -1;
  for (int32_t c = all[creator].first_created, next; c >= 0; c = next) {
    next = all[c].next_created;
    int32_t* link = &sorted;
    while (*link >= 0 && rank(all[creator], all[*link]) <= rank(all[creator], all[c])) link = &all[*link].next_created;
    all[c].next_created = *link;
    *link = c;
  }
  all[creator].first_created = sorted;
}

bool any_shares(Lineage& all) {
  for (const Birth& b : all.births)
    if (b.own.files >= 0 || b.own.directory >= 0) return true;
  return false;
}

/// Others may have had one of theirs open when the table was copied.
void close_unknown() {
  HomeArray<int> unknown;
  ScopedFd dir(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int>(Scan(name).number());
    bool keep = fd == dir.get();
    for (int k : known) keep = keep || fd == k;
    if (!keep) unknown.push(fd);
    return true;
  });
  for (int fd : unknown) sys(__NR_close, fd);
}

void leave(Part part) {
  bool files = part == &Tables::files;
  if (long r = sys(__NR_unshare, files ? CLONE_FILES : CLONE_FS); r < 0)
    give_up(Error::kResourceFailed, "a process of the job", "give it descriptors or a directory of its own", r);
  if (files) close_unknown();
}

}  // namespace

void plan_sharing(const Plan& plan, Lineage& lineage) {
  for (Part part : kParts) {
    Planner planner(plan, lineage, part);
    planner.find_groups();
    planner.find_ways();
  }
  if (!any_shares(lineage)) return;
  for (int32_t i = 0; i < lineage.size(); ++i) sort_children(lineage, i);
  for (Part part : kParts)
    for (int32_t i = 0; i < lineage.size(); ++i) Planner(plan, lineage, part).check(i);
}

void OwnTables::begin() {
  own = first = all_[0].own;
  if (!any_shares(all_)) return;
  ScopedFd dir(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int>(Scan(name).number());
    if (fd != dir.get()) known.push(fd);
    return true;
  });
}

long OwnTables::prepare(int32_t i) {
  const Tables& wanted = all_[i].at_birth;
  take_leave({wanted.files < 0 ? now_.files : wanted.files, wanted.directory < 0 ? now_.directory : wanted.directory});
  return (wanted.files < 0 ? 0 : CLONE_FILES) | (wanted.directory < 0 ? 0 : CLONE_FS);
}

void OwnTables::take_leave(Tables wanted) {
  for (Part part : kParts) {
    if (now_.*part >= 0 && now_.*part != wanted.*part) leave(part);
    now_.*part = wanted.*part;
  }
}

void OwnTables::be_born(int32_t i) {
  const Tables& given = all_[i].at_birth;
  self = i;
  own = all_[i].own;
  bool copied = now_.files >= 0 && given.files < 0;
  now_ = given;
  if (copied) close_unknown();
}

void OwnTables::settle(int32_t i) {
  take_leave(all_[i].own);
}

bool keeps_files() {
  return own.files < 0 || own.files == self;
}

bool keeps_directory() {
  return own.directory < 0 || own.directory == self;
}

bool shares_files() {
  return own.files >= 0;
}

bool shares_files_with_first() {
  return own.files >= 0 && own.files == first.files;
}

}  // namespace mig
