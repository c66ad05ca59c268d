// What is to be made: every process file of the job with its tables, and the tree that they form.
//
// Made at home, before the first fork, so that every process of the job has it. Processes name each other by their index
// in `processes`; the job's first process is number 0.
#pragma once
#include "image/records.h"
#include "restore/home.h"
#include "restore/image_file.h"

namespace mig {

struct PlannedProcess {
  ImageFile file;  ///< its tables, verified; its descriptor is closed until the process itself opens it again
  ProcessRecord record;
  ClocksRecord clocks;
  int32_t parent;                     ///< -1: it is outside the job
  int32_t first_child, next_sibling;  ///< in the order of the arguments; -1: none

  /// Calls visit(zombie) for each child that has ended and was not waited for.
  template <class Visit>
  void each_zombie(Visit visit) const {
    file.each_as<ChildRecord>(RecordType::kChild, [&](const ChildRecord& c, const char*) { visit(c); });
  }
};

struct Plan {
  HomeArray<PlannedProcess> processes;
  ClocksRecord clocks;  ///< the latest of all
};

/// Opens and verifies every process file, and finds who is whose child.
void make_plan(Plan& plan);

}  // namespace mig
