// Tables that clone(2) lets processes have in common: descriptors (CLONE_FILES), working directory and umask (CLONE_FS).
//
// A table can only be had by birth. So everybody between two processes that share one is born with it: whoever it does not belong to
// leaves it (unshare(2)) when the last child that needs it is born. Such a group is named by the process that has its records.
#pragma once
#include "restore/lineage.h"

namespace mig {

/// Decides who is born with whose tables, and in which order. Gives up when that cannot be.
void plan_sharing(const Plan& plan, Lineage& lineage);

/// The tables that this process has at the moment, while it brings forth others.
class OwnTables {
 public:
  explicit OwnTables(Lineage& all) : all_(all) {}
  /// Before the first birth.
  void begin();
  /// Before child `i` is made: leaves what it must not be born with. Returns its flags for clone(2).
  long prepare(int32_t i);
  /// In the new process: it is `i`, or only a step between two others (-1 is its own index then).
  void be_born(int32_t i);
  /// All children are born.
  void settle(int32_t i);

 private:
  void take_leave(Tables wanted);
  Lineage& all_;
  Tables now_{-1, -1};
};

/// This process has the records of the descriptors that it uses, or of the directory and umask.
bool keeps_files();
bool keeps_directory();
/// Other processes use its descriptors too.
bool shares_files();
/// Its descriptors are also the first process's.
bool shares_files_with_first();

}  // namespace mig
