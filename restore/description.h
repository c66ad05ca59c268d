// One open file description while it is being restored, and the kinds of thing it can be.
//
// Each kind has its own file, the same noun here and in preload/, and up to three steps:
//   open    before the commit: made or opened aside. Changes nothing of the user's; gives up if it cannot be.
//   finish  at the commit, still aside: what changes something outside (cutting back, binding a path, starting a timer).
//   last    when the program has its numbers and everything else is closed: what a close of ours would undo or disturb, or what
//           other processes must have finished for.
#pragma once
#include "image/base/file.h"
#include "image/base/text.h"
#include "image/records.h"
#include "restore/home.h"

namespace mig {

struct PreparedDescription {
  DescriptionRecord record;
  const char* path;
  int fd;                     ///< aside; -1: not yet open
  int helper;                 ///< a second descriptor of the kind's own, closed after the commit; -1: none
  RecordReader behind;        ///< the records that belong to it, and all that follow
  int32_t process;            ///< index in the plan of the process whose file these are
  int32_t vpid;               ///< of that process
  bool common;                ///< opened before the processes are forked (restore/shared.h)
  int promise[2] = {-1, -1};  ///< kPidfd that is common: sockets through which it comes (restore/pidfds.h)
};

/// Every description of the job, once. In a process those of the others are there as well, opened only if `common`.
HomeArray<PreparedDescription>& all_descriptions();
/// It is in this process's file.
bool belongs_here(const PreparedDescription& p);

void open_description(PreparedDescription& p);
void finish_description(PreparedDescription& p);
/// `fd`: its final number.
void settle_description(PreparedDescription& p, int fd);

/// Moves a new descriptor to a number that the program does not use, and stores it.
void set_descriptor(PreparedDescription& p, long fd);
/// The same for a descriptor of a kind's own; gives up if it is an error number. `what` names it then.
int move_aside(const char* what, long fd);
int copy_aside(const char* what, int fd);

/// Calls visit(record, tail, tail size) for each record of `type` that belongs to `p`.
template <class T, class Visit>
void each_extra(const PreparedDescription& p, RecordType type, Visit visit) {
  RecordReader reader = p.behind;
  while (const RecordHeader* h = reader.next()) {
    if (h->type == RecordType::kDescription) return;
    if (h->type == type) visit(record_as<T>(h), record_tail(h), size_t{h->tail_size});
  }
}

inline DescriptionKind kind_of(const PreparedDescription& p) {
  return static_cast<DescriptionKind>(p.record.kind);
}
inline uint32_t access_mode(const PreparedDescription& p) {
  return p.record.open_flags & 3;
}
/// A path that leads to an open descriptor of ours.
struct DescriptorPath {
  explicit DescriptorPath(int fd) { Text(text) << "/proc/self/fd/" << fd; }
  char text[40];
};
/// A file by its path, also one whose mode keeps its owner from opening it.
long open_file(const char* path, int flags);
/// Opens what `fd` refers to anew, as `p` had it open.
void reopen_through(PreparedDescription& p, int fd);

}  // namespace mig
