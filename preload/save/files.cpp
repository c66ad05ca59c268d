// Descriptors: which open file descriptions there are, what kind of thing each is, and how it stands.
//
// The kernel tells all of it: /proc/thread-self/fd, fstat, /proc/thread-self/fdinfo, fcntl; kcmp(KCMP_FILE) tells which
// descriptors share a description. Since kcmp orders descriptions, they are kept sorted and found by bisection:
// all eventfds of a program have one inode, and comparing each with each took seconds for 10,000 of them.
//
// Tried: /proc/self and the process's own number. They are those of the main thread, and once that has ended (pthread_exit) they show no
// descriptor and no memory. So whatever a checkpoint asks, it asks of /proc/thread-self and of the thread.
#include "preload/save/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>

#include "preload/job/sharing.h"
#include "preload/job/standard.h"
#include "preload/save/contents.h"
#include "preload/save/description.h"
#include "preload/save/locks.h"
#include "preload/save/named_memory.h"
#include "preload/save/socket_queue.h"

namespace mig {
namespace {

using Descriptions = ScratchArray<OpenDescription>;

bool no_room() {
  return refuse(Error::kPendingLost, "the list of descriptors", "the kernel gave no memory for it");
}

/// Splits what is open into the program's and ours.
bool list_descriptors(ScratchArray<int32_t>& fds, ScratchArray<int32_t>& ours, const ImageWriter& writer, int own) {
  ScopedFd dir(open_path("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY));
  if (!dir.ok()) return refuse_errno(Error::kPendingLost, "/proc/thread-self/fd", "open", -dir.error());
  bool ok = true;
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int32_t>(Scan(name).number());
    if (fd == own || writer.holds(fd)) ok = ours.push(fd);
    else if (fd != dir.get()) ok = fds.push(fd);
    return ok;
  });
  return ok || no_room();
}

/// The same of a table that other processes have as well.
bool list_own(ScratchArray<int32_t>& fds, const ImageWriter& writer, int own) {
  ScratchArray<int32_t> all, ours;
  if (!begin_listing() || !list_descriptors(all, ours, writer, own)) return false;
  bool ok = true;
  for (int32_t fd : all) ok = ok && (is_lent(fd) || fds.push(fd));
  end_listing();
  return ok || no_room();
}
bool list_ours(const ImageWriter& writer, int own) {
  ScratchArray<int32_t> all, ours;
  return list_descriptors(all, ours, writer, own) && lend_descriptors(ours);
}

void read_fdinfo(OpenDescription& d) {
  each_fdinfo_line(d.fd, [&](const char* line) {
    if (text_starts(line, "pos:")) d.record.position = Scan(line + 4).number();
    else if (text_starts(line, "flags:")) d.record.open_flags = static_cast<uint32_t>(Scan(line + 6).octal());
    else if (text_starts(line, "lock:")) d.has_locks = 1;
    else return text_starts(line, "mnt_id:") || text_starts(line, "ino:");
    return true;
  });
  d.record.open_flags &= ~static_cast<uint32_t>(O_CLOEXEC);
}

void read_owner(OpenDescription& d) {
  f_owner_ex owner{};
  if (sys(__NR_fcntl, d.fd, F_GETOWN_EX, &owner) == 0 && owner.pid) {
    d.record.owner_kind = static_cast<uint32_t>(owner.type);
    d.record.owner = owner.type == F_OWNER_PGRP ? virtual_group(owner.pid) : virtual_id(owner.pid);
  }
  long signal = sys(__NR_fcntl, d.fd, F_GETSIG);
  d.record.owner_signal = signal > 0 ? static_cast<int32_t>(signal) : 0;
}

bool read_link(OpenDescription& d) {
  char link[48], path[4200];
  Text(link) << "/proc/thread-self/fd/" << d.fd;
  long n = sys(__NR_readlink, link, path, sizeof path - 1);
  size_t length = n > 0 ? static_cast<size_t>(n) : 0;
  auto copy = static_cast<char*>(scratch(length + 1));
  if (!copy) return false;
  memcpy(copy, path, length);
  d.path = copy;
  return true;
}

void keep_stat(OpenDescription& d, const struct stat& st) {
  DescriptionRecord& r = d.record;
  r.device = st.st_dev, r.inode = st.st_ino, r.size = static_cast<uint64_t>(st.st_size), r.rdev = st.st_rdev;
  r.mode = st.st_mode;
  r.mtime = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
  d.links = static_cast<uint32_t>(st.st_nlink);
}

/// The descriptions by device, inode and the kernel's order.
class Index {
 public:
  explicit Index(Descriptions& all) : all_(all) {}
  /// The description of `d.fd`, or nullptr: then `place` is where it belongs.
  OpenDescription* find(const OpenDescription& d, size_t& place) {
    size_t low = 0, high = order_.size();
    while (low < high) {
      size_t middle = (low + high) / 2;
      OpenDescription& other = all_[order_[middle]];
      int order = compare(d, other);
      if (order == 0) return &other;
      (order < 0 ? high : low) = order < 0 ? middle : middle + 1;
    }
    place = low;
    return nullptr;
  }
  bool insert(size_t place) {
    if (!order_.push(0)) return false;
    memmove(&order_[place + 1], &order_[place], (order_.size() - 1 - place) * sizeof(uint32_t));
    order_[place] = static_cast<uint32_t>(all_.size() - 1);
    return true;
  }

 private:
  int compare(const OpenDescription& a, const OpenDescription& b) {
    if (a.record.device != b.record.device) return a.record.device < b.record.device ? -1 : 1;
    if (a.record.inode != b.record.inode) return a.record.inode < b.record.inode ? -1 : 1;
    long r = sys(__NR_kcmp, tid_, tid_, KCMP_FILE, static_cast<long>(a.fd), static_cast<long>(b.fd));
    return r == 0 ? 0 : r == 1 ? -1 : 1;
  }
  Descriptions& all_;
  ScratchArray<uint32_t> order_;
  long tid_ = sys(__NR_gettid);
};

/// The description of the descriptor, which may be a new one; nullptr: the failure is set.
OpenDescription* add_description(Descriptions& all, Index& index, int32_t fd, bool underway, struct stat& st) {
  OpenDescription d{};
  d.fd = fd, d.underway = underway;
  keep_stat(d, st);
  size_t place = 0;
  if (OpenDescription* known = index.find(d, place)) return known;
  d.record.id = static_cast<uint32_t>(all.size());
  read_fdinfo(d);
  if (!(d.record.open_flags & O_PATH)) read_owner(d);
  if (read_link(d) && all.push(d) && index.insert(place)) return &all[all.size() - 1];
  no_room();
  return nullptr;
}

bool add_descriptor(ImageWriter& writer, Descriptions& all, Index& index, Saving::Numbers& numbers, int32_t fd) {
  struct stat st;
  if (sys(__NR_fstat, fd, &st) < 0) return true;
  OpenDescription* known = add_description(all, index, fd, false, st);
  if (!known) return false;
  known->streams |= stream_bits(fd, st.st_ino);
  uint32_t close_on_exec = sys(__NR_fcntl, fd, F_GETFD) & FD_CLOEXEC;
  DescriptorRecord r{fd, known->record.id, close_on_exec, 0};
  return (numbers.push(r) && writer.record(RecordType::kDescriptor, r)) ||
         refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

/// A descriptor of ours for something that waits in a socket, or is only mapped, and what it refers to.
struct Underway {
  int32_t fd;
  uint32_t description;
};

/// What save_files() has found. It stays until every process has saved, for the others compare with it.
struct Found {
  Descriptions all;
  Saving::Numbers numbers;
  ScratchArray<Underway> underway;
};
Found* found;  ///< in scratch memory

bool begin_finding() {
  forget_contents();
  forget_socket_queues();
  found = static_cast<Found*>(scratch(sizeof(Found)));
  return found || no_room();
}

bool find_descriptions(ImageWriter& writer, Found& f, Index& index, int own) {
  ScratchArray<int32_t> fds;
  if (!await_tables()) return false;
  if (borrows_descriptors()) return list_ours(writer, own);
  if (!list_own(fds, writer, own)) return false;
  for (int32_t fd : fds)
    if (!add_descriptor(writer, f.all, index, f.numbers, fd)) return false;
  return true;
}

/// A descriptor of ours for something that the program has without a number.
bool add_ours(Found& f, Index& index, int32_t fd) {
  struct stat st;
  OpenDescription* d = sys(__NR_fstat, fd, &st) < 0 ? nullptr : add_description(f.all, index, fd, true, st);
  return d && (f.underway.push({fd, d->record.id}) || no_room());
}

/// What waits in a socket of this process, as descriptions beside the others. `queue` names descriptors, and then descriptions.
bool add_underway(Found& f, Index& index, SocketQueue& queue) {
  for (SocketQueue::Right& right : queue.rights) {
    if (!add_ours(f, index, right.fd)) return false;
    right.description = f.underway[f.underway.size() - 1].description;
  }
  return true;
}

bool look_into_queue(Found& f, Index& index, size_t which) {
  OpenDescription& d = f.all[which];
  if (!S_ISSOCK(d.record.mode) || !owns(d)) return true;
  SocketQueue* queue = nullptr;
  if (!list_socket_queue(d, queue)) return false;
  d.queue = queue;
  return !queue || add_underway(f, index, *queue);
}

/// All that the others have to know is known before anything is saved.
bool enter_descriptions(Found& f, Index& index) {
  if (!begin_sharing()) return false;
  for (size_t i = 0; i < f.all.size(); ++i)
    if (!claim_description(f.all[i]) || !look_into_queue(f, index, i)) return false;
  for (OpenDescription& d : f.all)
    if (!enter_description(d)) return false;
  return await_descriptions();
}

struct NamedMemory {
  Found& found;
  Index& index;
};
bool add_named_memory(void* argument, int fd) {
  auto n = static_cast<NamedMemory*>(argument);
  return add_ours(n->found, n->index, fd);
}

bool find_files(ImageWriter& writer, const Mappings& mappings, int own) {
  if (!begin_finding()) return false;
  Index index(found->all);
  NamedMemory named{*found, index};
  return find_descriptions(writer, *found, index, own) && open_named_memory(mappings, add_named_memory, &named) &&
         enter_descriptions(*found, index);
}

}  // namespace

bool save_files(ImageWriter& writer, const Mappings& mappings, int own) {
  state.standard_saved = 0;
  forget_taken_along();
  if (!find_files(writer, mappings, own)) return false;
  Saving saving(writer, own, found->all, found->numbers);
  for (OpenDescription& d : found->all)
    if (!save_description(saving, d)) return false;
  return true;
}

void release_files() {
  if (!found) return;
  for (const Underway& u : found->underway) {
    ScopedProcessLocks locks(found->all.begin(), found->all.end(), found->all[u.description]);
    sys(__NR_close, u.fd);
  }
  found = nullptr;
}

void forget_files() {
  found = nullptr;
}

bool check_files(ImageWriter& writer, const Mappings& mappings, int own,
                 void (*tell)(void*, const char*, const char*, const char*), void* to) {
  constexpr const char* kWords[] = {"ok", "carried", "degraded"};
  if (!find_files(writer, mappings, own)) return false;
  Saving saving(writer, -1, found->all, found->numbers);
  for (OpenDescription& d : found->all) {
    char object[4200];
    Text text(object);
    describe_descriptor(text, d);
    if (save_description(saving, d)) tell(to, kWords[static_cast<int>(d.verdict)], object, d.reason ? d.reason : "");
    else tell(to, "blocked", object, state.failure.message + (text_starts(state.failure.message, object) ? text.size() + 2 : 0));
  }
  state.failure = {};
  return true;
}

}  // namespace mig
