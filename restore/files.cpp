// Descriptors: opened aside while everything can still be given up, put into place when nothing can fail any more.
//
// Aside means: on numbers that the program does not have, whatever is free between its own. Above its highest would be
// simpler, but a program may sit at its limit of descriptors, and that limit may be hard.
//
// An epoll instance knows its entries by number, so they are registered at the commit, each under its number; a
// number may by then be somebody else's (see preload/epoll.cpp), so registering comes before putting into place.
#include "restore/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "restore/contents.h"
#include "restore/description.h"
#include "restore/failure.h"
#include "restore/hold.h"
#include "restore/image_file.h"
#include "restore/options.h"

namespace mig {
namespace {

HomeArray<DescriptorRecord> descriptors;  ///< in order of their numbers
HomeArray<int> reserved;                  ///< other numbers that will be used for a moment
HomeArray<PreparedDescription> prepared;
int standard[3] = {-1, -1, -1};  ///< the restart's own
int next_aside = 3;

/// Numbers of the program, and some besides, may lie beyond the limit.
void raise_descriptor_limit(uint64_t wanted) {
  uint64_t limit[2];
  sys(__NR_prlimit64, 0, 7, nullptr, limit);
  uint64_t raised[2] = {limit[1], limit[1]};
  if (limit[1] < wanted) raised[0] = raised[1] = wanted;
  if (sys(__NR_prlimit64, 0, 7, raised, nullptr) == 0) return;
  raised[0] = raised[1] = limit[1];
  sys(__NR_prlimit64, 0, 7, raised, nullptr);
}

void read_descriptors() {
  RecordReader reader = image.records();
  while (const RecordHeader* h = reader.next()) {
    if (h->type == RecordType::kDescriptor) descriptors.push(record_as<DescriptorRecord>(h));
    if (h->type == RecordType::kDescription) prepared.push({record_as<DescriptionRecord>(h), record_tail(h), -1, -1, reader});
    if (h->type == RecordType::kEpollEntry) reserved.push(record_as<EpollEntryRecord>(h).fd);
  }
}

bool is_used(int fd) {
  size_t low = 0, high = descriptors.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (descriptors[middle].fd == fd) return true;
    if (descriptors[middle].fd < fd) low = middle + 1;
    else high = middle;
  }
  for (int r : reserved)
    if (r == fd) return true;
  return false;
}

/// What the restarting shell left open by mistake.
void close_strangers(int keep) {
  HomeArray<int> strangers;
  ScopedFd dir(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  each_entry(dir.get(), [&](const char* name, unsigned char) {
    auto fd = static_cast<int>(Scan(name).number());
    if (fd > 2 && fd != dir.get() && fd != keep && fd != image.fd()) strangers.push(fd);
    return true;
  });
  for (int fd : strangers) sys(__NR_close, fd);
}

/// A terminal that was all three standard streams may be three different things now.
int source_of(const DescriptorRecord& d) {
  const PreparedDescription& p = prepared[d.description];
  bool stream = kind_of(p) == DescriptionKind::kInherited && d.fd < 3 && (p.record.value[0] >> d.fd & 1);
  return stream && standard[d.fd] >= 0 ? standard[d.fd] : p.fd;
}

void put_in_place(const DescriptorRecord& d) {
  const PreparedDescription& p = prepared[d.description];
  long r = sys(__NR_dup3, source_of(d), d.fd, d.close_on_exec ? O_CLOEXEC : 0);
  if (r < 0) give_up(Error::kResourceFailed, p.path, "give it its descriptor number", r);
}

void register_epoll_entries() {
  for (const PreparedDescription& p : prepared)
    if (kind_of(p) == DescriptionKind::kEpoll)
      each_extra<EpollEntryRecord>(p, RecordType::kEpollEntry, [&](const EpollEntryRecord& e, const char*, size_t) {
        epoll_event event{};
        event.events = e.events;
        event.data.u64 = e.data;
        long r = sys(__NR_dup3, prepared[e.description].fd, e.fd, O_CLOEXEC);
        if (r >= 0) r = sys(__NR_epoll_ctl, p.fd, EPOLL_CTL_ADD, e.fd, &event);
        if (r < 0) give_up(Error::kResourceFailed, "an epoll instance", "register a descriptor", r);
      });
}

void close_rest(int keep) {
  for (const PreparedDescription& p : prepared) {
    sys(__NR_close, p.fd);
    if (p.helper >= 0) sys(__NR_close, p.helper);
  }
  for (int fd : standard)
    if (fd >= 0) sys(__NR_close, fd);
  size_t next = 0;
  auto close_unused = [&](int fd) {
    while (next < descriptors.size() && descriptors[next].fd < fd) ++next;
    bool used = next < descriptors.size() && descriptors[next].fd == fd;
    if (!used && fd != keep) sys(__NR_close, fd);
  };
  for (int fd = 0; fd < 3; ++fd) close_unused(fd);
  for (int fd : reserved) next = 0, close_unused(fd);
}

void settle_all() {
  HomeArray<int> numbers;
  for (size_t i = 0; i < prepared.size(); ++i) numbers.push(-1);
  for (const DescriptorRecord& d : descriptors)
    if (numbers[d.description] < 0) numbers[d.description] = d.fd;
  for (size_t i = 0; i < prepared.size(); ++i)
    if (numbers[i] >= 0) settle_description(prepared[i], numbers[i]);
}

}  // namespace

HomeArray<PreparedDescription>& all_descriptions() {
  return prepared;
}

int move_aside(const char* what, long fd) {
  if (failed(fd)) give_up(Error::kResourceFailed, what, "open", fd);
  auto from = static_cast<int>(fd);
  if (from > 2 && !is_used(from)) return from;
  while (is_used(next_aside) || sys(__NR_fcntl, next_aside, F_GETFD) >= 0) ++next_aside;
  long r = sys(__NR_dup3, from, next_aside, O_CLOEXEC);
  if (failed(r)) give_up(Error::kResourceFailed, what, "find a free descriptor number (raise the limit: ulimit -n)", r);
  sys(__NR_close, from);
  return next_aside;
}

void set_descriptor(PreparedDescription& p, long fd) {
  p.fd = move_aside(p.path, fd);
}

void prepare_files() {
  temporary_directory();
  read_descriptors();
  close_strangers(options.ready_fd);
  int highest = descriptors.size() ? descriptors[descriptors.size() - 1].fd : 2;
  raise_descriptor_limit(static_cast<uint64_t>(highest) + descriptors.size() + 64);
  if (options.ready_fd >= 0) options.ready_fd = move_aside("the caller's pipe", options.ready_fd);
  follow_holder();
  image.set_fd(move_aside("the image", image.fd()));
  for (int i = 0; i < 3; ++i)
    if (long fd = sys(__NR_dup, i); fd >= 0) standard[i] = move_aside("a standard stream", fd);
  for (PreparedDescription& p : prepared) open_description(p);
}

void install_files(int keep) {
  for (PreparedDescription& p : prepared) finish_description(p);
  register_epoll_entries();
  for (const DescriptorRecord& d : descriptors) put_in_place(d);
  close_rest(keep);
  settle_all();
}

}  // namespace mig
