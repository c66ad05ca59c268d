// epoll: the registered descriptors, their events and data, as fdinfo tells them (`tfd:` lines).
//
// An entry belongs to the open file description that had the number when it was registered. That number may have been
// closed or given to something else while a duplicate keeps the description alive; kcmp(KCMP_EPOLL_TFD) tells
// which description it is.
#include <errno.h>
#include <linux/kcmp.h>

#include "preload/events.h"

namespace mig {
namespace {

struct Slot {  // struct kcmp_epoll_slot
  uint32_t epoll, target, offset;
};

bool is_target(int epoll, int target, uint32_t offset, int fd) {
  Slot slot{static_cast<uint32_t>(epoll), static_cast<uint32_t>(target), offset};
  long pid = sys(__NR_getpid);
  return sys(__NR_kcmp, pid, pid, KCMP_EPOLL_TFD, static_cast<long>(fd), &slot) == 0;
}

struct Entry {
  int fd;
  uint32_t events, offset;
  uint64_t data, inode;
};

bool parse(const char* line, Entry& e) {
  if (!text_starts(line, "tfd:")) return false;
  Scan scan(line + 4);
  e.fd = static_cast<int>(scan.number());
  e.events = static_cast<uint32_t>(scan.after(':').hex());
  e.data = scan.after(':').hex();
  if (const char* inode = text_find(scan.at(), "ino:")) e.inode = Scan(inode + 4).hex();
  return true;
}

const OpenDescription* find_target(Saving& saving, const OpenDescription& epoll, const Entry& e) {
  for (const OpenDescription& d : saving)
    if ((!e.inode || d.record.inode == e.inode) && is_target(epoll.fd, e.fd, e.offset, d.fd)) return &d;
  return nullptr;
}

}  // namespace

bool save_epoll(Saving& saving, OpenDescription& d) {
  if (!saving.write(d, DescriptionKind::kEpoll)) return false;
  int last = -1;
  uint32_t same = 0;
  bool ok = true;
  each_fdinfo_line(d.fd, [&](const char* line) {
    Entry e{};
    if (!parse(line, e)) return true;
    same = e.fd == last ? same + 1 : 0;
    last = e.fd;
    e.offset = same;
    const OpenDescription* target = find_target(saving, d, e);
    if (!target) return ok = unsupported(d, "it watches a file that only another process has open any more");
    EpollEntryRecord r{d.record.id, e.fd, e.events, target->record.id, e.data};
    return ok = saving.extra(RecordType::kEpollEntry, r);
  });
  return ok;
}

}  // namespace mig
