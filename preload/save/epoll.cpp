// epoll: the registered descriptors, their events and data, as fdinfo tells them (`tfd:` lines).
//
// An entry belongs to the open file description that had the number when it was registered. That number may have been
// closed or given to something else while a duplicate keeps the description alive. Adding the number again tells: EEXIST
// means that it is still the same. If not, kcmp(KCMP_EPOLL_TFD) finds which description it is; that alone would do,
// but it walks through all entries in the kernel: 4000 eventfds took minutes.
#include <errno.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>

#include "image/device.h"
#include "preload/save/events.h"

namespace mig {
namespace {

struct Slot {  // struct kcmp_epoll_slot
  uint32_t epoll, target, offset;
};

/// `fd` is a number of the process of thread `tid`.
bool is_target(int epoll, int target, uint32_t offset, long tid, int fd) {
  Slot slot{static_cast<uint32_t>(epoll), static_cast<uint32_t>(target), offset};
  return sys(__NR_kcmp, tid, sys(__NR_gettid), KCMP_EPOLL_TFD, static_cast<long>(fd), &slot) == 0;
}

struct Entry {
  int fd;
  uint32_t events;
  uint32_t offset;  ///< among the entries of this number
  uint32_t alone;   ///< no other entry has this number
  uint64_t data, inode, device;
};
using Entries = ScratchArray<Entry>;

bool parse(const char* line, Entry& e) {
  if (!text_starts(line, "tfd:")) return false;
  Scan scan(line + 4);
  e.fd = static_cast<int>(scan.number());
  e.events = static_cast<uint32_t>(scan.after(':').hex());
  e.data = scan.after(':').hex();
  if (const char* inode = text_find(scan.at(), "ino:")) e.inode = Scan(inode + 4).hex();
  if (const char* device = text_find(scan.at(), "sdev:")) {
    uint64_t number = Scan(device + 5).hex();
    e.device = stat_device((number >> 20) << 32 | (number & 0xfffff));
  }
  return true;
}

/// Is the entry that of the description which has its number now?
bool is_current(int epoll, int fd) {
  epoll_event none{};
  long r = sys(__NR_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &none);
  if (r == 0) sys(__NR_epoll_ctl, epoll, EPOLL_CTL_DEL, fd, nullptr);
  return r == -EEXIST;
}

const OpenDescription* find_target(Saving& saving, const OpenDescription& epoll, const Entry& e) {
  const OpenDescription* current = saving.behind(e.fd);
  if (current && e.alone && (!e.inode || current->record.inode == e.inode) && is_current(epoll.fd, e.fd)) return current;
  for (const OpenDescription& d : saving)
    if ((!e.inode || d.record.inode == e.inode) && is_target(epoll.fd, e.fd, e.offset, sys(__NR_getpid), d.fd)) return &d;
  return nullptr;
}

/// Its number in the job, if another process has it; else 0.
uint64_t find_elsewhere(const OpenDescription& epoll, const Entry& e) {
  struct Search {
    const OpenDescription& epoll;
    const Entry& entry;
    uint64_t found;
  } search{epoll, e, 0};
  auto visit = [](void* argument, const Holder& h) {
    auto& s = *static_cast<Search*>(argument);
    if (is_target(s.epoll.fd, s.entry.fd, s.entry.offset, h.tid, h.fd)) s.found = h.number;
    return !s.found;
  };
  each_holder({e.device, e.inode}, visit, &search);
  return search.found;
}

bool list_entries(const OpenDescription& epoll, Entries& entries) {
  ScratchArray<uint32_t> count;  // by number
  bool ok = true;
  each_fdinfo_line(epoll.fd, [&](const char* line) {
    Entry e{};
    if (!parse(line, e) || e.fd < 0) return true;
    auto number = static_cast<size_t>(e.fd);
    if (number >= count.size() && !count.add(number + 1 - count.size())) return ok = false;
    e.offset = count[number]++;
    return ok = entries.push(e);
  });
  for (Entry& e : entries) e.alone = count[static_cast<size_t>(e.fd)] == 1;
  return ok;
}

}  // namespace

bool save_epoll(Saving& saving, OpenDescription& d) {
  Entries entries;
  if (!saving.write(d, DescriptionKind::kEpoll)) return false;
  if (!owns(d)) return true;
  if (!list_entries(d, entries)) return saving.out_of_memory();
  for (const Entry& e : entries) {
    const OpenDescription* target = find_target(saving, d, e);
    uint64_t elsewhere = target ? 0 : find_elsewhere(d, e);
    if (!target && !elsewhere) return unsupported(d, "it watches a file that only another process has open any more");
    EpollEntryRecord r{d.record.id, e.fd, e.events, target ? target->record.id : ~0u, e.data, elsewhere};
    if (!saving.extra(RecordType::kEpollEntry, r)) return false;
  }
  return true;
}

}  // namespace mig
